"""The project's former name. What was sealed, stored or named under it stays usable, so the name stands here only."""

from __future__ import annotations

from typing import Final

FORMER_NAME: Final = "leasehold"
SEALED: Final = b"leasehold "
"""How every sealed message and every purpose of a derived key begins: other bytes would open no seal of before."""
FORMER_OPERATOR: Final = "LeaseholdOperatorPolicy"
"""What the operator's policy was called in stores of before."""
