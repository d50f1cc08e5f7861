"""Methods of the clients: finance."""
