"""What the service says about itself: log lines without secrets, and metrics under fixed names."""
