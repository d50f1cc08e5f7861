"""What a stranger or a tenant could try."""
