"""Values that carry rules of their own and name no row: money, calendar, refusals."""
