"""The layer between the network and the application."""
