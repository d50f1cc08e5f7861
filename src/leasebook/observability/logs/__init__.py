"""Log lines: their form, and the secrets that they leave out."""
