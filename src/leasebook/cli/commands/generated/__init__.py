"""Commands that are made of the action table."""
