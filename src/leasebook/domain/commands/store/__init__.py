"""Commands on the store as a whole: catalogue, clock, bootstrap, master key."""
