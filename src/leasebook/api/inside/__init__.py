"""Actions performed without a signature, for a user who has signed in to the console."""
