"""Methods of the clients: resource."""
