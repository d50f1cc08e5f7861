"""The contract: actions, shapes, error codes, signatures. Clients can ship it without the server."""
