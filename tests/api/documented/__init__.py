"""Calls as the public pages have them, ids replaced by real ones."""
