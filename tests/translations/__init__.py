"""The catalogues of texts."""
