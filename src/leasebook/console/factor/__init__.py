"""The second factor of a password: codes of an authenticator, and recovery codes."""
