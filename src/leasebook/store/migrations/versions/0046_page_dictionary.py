"""Pages of events and of the audit log are compressed with a dictionary, which earlier versions cannot read.

No row changes: pages that were written without the dictionary are read as before.
"""

from __future__ import annotations

revision = "0046"
down_revision = "0044"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
