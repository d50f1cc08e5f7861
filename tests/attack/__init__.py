"""Attacks on a running server, over sockets."""
