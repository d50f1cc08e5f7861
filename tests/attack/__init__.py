"""What a stranger, a tenant or another program of the machine could try, tried on real servers."""
