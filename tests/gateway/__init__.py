"""Calls of services, passed on to real servers."""
