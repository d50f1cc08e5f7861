"""Whole histories, played on the core and on the stores."""
