"""Commands on compute-unit instances."""
