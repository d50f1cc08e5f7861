"""The pages about money, of administration and of the reference."""
