"""The groups of the things that an account buys and makes."""
