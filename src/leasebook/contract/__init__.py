"""The contract: actions, shapes, error codes, signatures. It stands alone, so that clients ship without the server."""
