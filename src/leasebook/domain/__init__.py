"""The rules, and nothing else: pure values and functions. No clock, no dice, no I/O."""
