"""Runs migrations on the connection that the store provides."""

from __future__ import annotations

from alembic import context

from leasebook.store.rows.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite alters tables by copying them.
    render_as_batch=True,
    # SQLite can undo changes of a schema; the toolkit uses that only with this setting.
    transactional_ddl=True,
    on_version_apply=context.config.attributes.get("applied", ()),
)
with context.begin_transaction():
    context.run_migrations()
