"""Nouns of money: costs."""
