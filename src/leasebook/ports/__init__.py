"""The core's interfaces to the world: the clock, and queries to the store."""
