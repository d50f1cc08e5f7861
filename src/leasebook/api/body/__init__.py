"""Request bodies: how much memory they take, how they are decoded, and what the audit log gets of them."""
