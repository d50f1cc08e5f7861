"""Subscriptions to events: messages, receivers, repeats and order."""
