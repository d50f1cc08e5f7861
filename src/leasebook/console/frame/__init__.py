"""The things that every page has: templates, languages, times and amounts, headers, static files."""
