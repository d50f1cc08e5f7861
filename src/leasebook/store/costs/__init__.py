"""The sums of costs: their queries, and their check."""
