"""Notifications: sends due deliveries to subscriptions, and stores their outcomes."""
