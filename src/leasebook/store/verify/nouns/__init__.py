"""The rules for each kind of row, and the rows that break them."""
