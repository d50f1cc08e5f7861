"""Commands by which money moves: prices, questions, purchases."""
