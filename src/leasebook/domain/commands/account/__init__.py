"""Commands on accounts, their users, limits and subscriptions."""
