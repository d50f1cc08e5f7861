"""Commands of the console's own: signing in and out."""
