"""Units: the list, one of them, and the changes of many at once."""
