"""The console: signing in, and its pages."""
