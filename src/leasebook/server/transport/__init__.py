"""The part between the network and the application: listeners, connections, their bounds, and TLS."""
