"""The API's reference, with a try-it."""
