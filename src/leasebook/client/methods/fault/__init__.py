"""Methods of the clients: fault."""
