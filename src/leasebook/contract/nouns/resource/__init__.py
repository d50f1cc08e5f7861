"""Everything that has names and tags."""
