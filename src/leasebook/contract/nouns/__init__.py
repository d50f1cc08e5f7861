"""One noun a file: what its requests and results look like."""
