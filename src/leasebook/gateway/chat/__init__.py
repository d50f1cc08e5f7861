"""Calls that name their service in the body, as clients of the OpenAI API and of the official clients make them."""
