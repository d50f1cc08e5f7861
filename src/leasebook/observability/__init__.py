"""Log lines without secrets, and metrics under fixed names."""
