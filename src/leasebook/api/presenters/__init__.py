"""How rows of the book look on the wire."""
