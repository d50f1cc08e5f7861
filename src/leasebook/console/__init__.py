"""The console: pages for people, made on the server, which call the actions of the API."""
