"""Leasebook: a self-hosted compute-unit service."""

__version__ = "0.1.0"
