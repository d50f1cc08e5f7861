"""Projects, names and tags of what accounts have, and their tag policies."""
