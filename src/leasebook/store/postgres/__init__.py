"""The shared store: PostgreSQL, for as many servers as wanted."""
