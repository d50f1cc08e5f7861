"""A calendar of coming ends that other programs subscribe to, at an address of each user."""
