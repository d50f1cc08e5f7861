"""The subcommand ``doctor``: the likeliest faults of a caller's set-up, and of an operator's."""
