"""The pages about money: balance, costs, orders, postings, statements, and files for FinOps tools."""
