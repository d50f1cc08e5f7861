"""Attacks over a socket on real servers, by whoever may call, and by strangers."""
