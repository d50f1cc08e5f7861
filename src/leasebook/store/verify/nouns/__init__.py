"""What must hold of each kind of row, and which rows break it."""
