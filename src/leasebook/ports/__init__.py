"""What the core asks of the world: the clock, and questions to the store."""
