"""Commands of people who sign in."""
