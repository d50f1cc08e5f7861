"""Everything that a stranger or a tenant could try: over sockets, against a service that runs."""
