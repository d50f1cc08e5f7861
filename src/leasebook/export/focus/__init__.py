"""The cost export: a month's charges as rows of the FinOps Open Cost and Usage Specification (FOCUS)."""
