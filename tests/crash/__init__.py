"""Promises that real processes keep when they are killed, paused or cut off."""
