"""The house as a file: ``leasebook apply`` and ``leasebook export``, over the API with an operator's key."""
