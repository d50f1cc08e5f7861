"""What stands between the network and the application: listeners, connections, their bounds, and TLS."""
