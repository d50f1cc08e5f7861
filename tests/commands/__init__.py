"""The commands for callers."""
