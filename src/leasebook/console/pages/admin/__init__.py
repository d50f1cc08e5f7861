"""The pages of administration: the fleet, accounts, people, projects, limits, approvals, the catalogue, and health."""
