"""The questions that may be put to the store outside a batch, one file a noun."""
