"""Runs migrations on the connection that the store hands over."""

from __future__ import annotations

from alembic import context

from leasebook.store.rows.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite alters tables by copying them.
    render_as_batch=True,
    # SQLite can undo what it did to a schema; the toolkit leaves that unused unless told.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
