"""Commands for callers: one for each operation of the action table, and those that take several calls."""
