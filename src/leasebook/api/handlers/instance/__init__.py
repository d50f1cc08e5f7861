"""Handlers of instances: purchase, change, release, explanation, quota and renewal rules."""
