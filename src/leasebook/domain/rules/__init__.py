"""The rules of instances, money and time, as pure functions."""
