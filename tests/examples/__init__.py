"""The services that are shipped to try the repository with."""
