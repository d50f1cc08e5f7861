"""Subscriptions to events: what is sent, to whom, how often and in which order."""
