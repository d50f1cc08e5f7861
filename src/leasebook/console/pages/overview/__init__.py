"""The first page: holdings, costs, and ends that come soon."""
