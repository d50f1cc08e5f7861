"""Tables, and how rows of the book are written down as columns."""
