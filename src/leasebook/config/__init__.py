"""The settings of a service: their declarations, and how they are read."""
