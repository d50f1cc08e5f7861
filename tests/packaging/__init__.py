"""The packages of callers and of servers: declared, pinned, imported and installed."""
