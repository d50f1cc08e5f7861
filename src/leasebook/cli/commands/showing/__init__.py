"""Answers as tables, JSON, YAML and CSV."""
