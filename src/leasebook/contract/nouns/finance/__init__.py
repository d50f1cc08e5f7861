"""What costs are shown and exported as."""
