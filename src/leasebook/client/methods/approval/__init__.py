"""Methods of the clients: approval."""
