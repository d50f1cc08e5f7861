"""Who calls, what the signature covers, and how many calls are taken."""
