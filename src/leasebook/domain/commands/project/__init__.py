"""Commands on projects, and on what belongs to them."""
