"""Links in mail: their tokens, the pages behind them, and what a button does."""
