"""The terminal: the language of its texts, the width of its help, and progress."""
