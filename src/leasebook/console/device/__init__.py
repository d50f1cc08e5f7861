"""Machines that get a key by a code, which a person confirms at the console (RFC 8628)."""
