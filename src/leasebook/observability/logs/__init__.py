"""Log lines: their form, and what is left out of them."""
