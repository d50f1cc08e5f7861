"""The version after this one: the same code, with one migration more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from alembic.config import Config
from sqlalchemy import Connection

from leasebook.store import migrate, revisions

NEXT: Final = "9999"
_MIGRATION: Final = '''"""A table more."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"
branch_labels = None
depends_on = None
{more}

def upgrade() -> None:
    op.create_table("of_the_future", sa.Column("id", sa.Text(), primary_key=True))
'''


def write_next(folder: Path, *, writable_from: str | None = None) -> Path:
    """Write the next migration into a folder, and return that."""
    folder.mkdir()
    more = "" if writable_from is None else f'writable_from = "{writable_from}"\n'
    text = _MIGRATION.format(revision=NEXT, before=revisions.latest(), more=more)
    (folder / f"{NEXT}_next.py").write_text(text)
    return folder


@contextmanager
def becoming(folder: Path) -> Iterator[None]:
    """Be the next version for a while."""
    known, config = revisions.known, migrate._config
    both = (*known(), NEXT)

    def of_both(connection: Connection | None = None) -> Config:
        made = config(connection)
        made.set_main_option("version_locations", f"{revisions.FOLDER}:{folder}")
        return made

    revisions.known, migrate._config = lambda: both, of_both  # type: ignore[assignment]
    try:
        yield
    finally:
        revisions.known, migrate._config = known, config


def main(folder: str) -> None:
    """Run the command line of the next version."""
    from leasebook.cli.main import main as run

    with becoming(Path(folder)):
        run()
