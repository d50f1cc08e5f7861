"""HTTP in: verify, look up, decode, submit, encode."""
