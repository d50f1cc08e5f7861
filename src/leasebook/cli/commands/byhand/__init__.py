"""Options and commands that are written by hand."""
