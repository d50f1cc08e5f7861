"""The project's former name. Seals, tables and policies made under it must stay usable; only this module has it."""

from __future__ import annotations

from typing import Final

FORMER_NAME: Final = "leasehold"
SEALED: Final = b"leasehold "
"""The first bytes of every sealed message and of the purpose of every derived key. Other bytes open no old seal."""
FORMER_OPERATOR: Final = "LeaseholdOperatorPolicy"
"""The name of the operator's policy in stores of earlier versions."""
