"""The test kit, as programs use it that have it installed."""
