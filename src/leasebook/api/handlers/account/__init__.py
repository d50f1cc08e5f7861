"""Handlers of accounts: balance, users, limits, events, subscriptions, audit log."""
