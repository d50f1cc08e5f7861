"""Attacks by a stranger, a tenant or another program of the machine, tried on real servers."""
