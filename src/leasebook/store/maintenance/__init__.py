"""Looks after a store: copy, backup, archive, master key."""
