"""Methods of the clients: models."""
