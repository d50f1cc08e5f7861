"""What is installed for callers and for servers, and what the sources may import of it."""
