"""The unit of work of a batch: the rows it loaded, and what its commands make of them."""
