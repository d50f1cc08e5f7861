"""The file of profiles, and the command that writes it."""
