"""The gateway: calls of services, passed on to the replicas that answer them."""
