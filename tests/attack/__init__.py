"""Everything that a stranger could try, tried on real servers."""
