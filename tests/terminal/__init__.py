"""The command line on a terminal and on pipes: progress, and the start."""
