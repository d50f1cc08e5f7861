"""Runs migrations on the connection that the store provides."""

from __future__ import annotations

from alembic import context
from sqlalchemy import inspect

from leasebook.store.rows.schema import SHOWN_BY, VIEWS, metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    # SQLite alters tables by copying them.
    render_as_batch=True,
    # SQLite can undo changes of a schema; the toolkit uses that only with this setting.
    transactional_ddl=True,
    on_version_apply=context.config.attributes.get("applied", ()),
)
with context.begin_transaction():
    # SQLite refuses to rename a table that a view reads, and its batch mode renames tables.
    for name in set(inspect(connection).get_view_names()) & VIEWS.keys():
        connection.exec_driver_sql(f"DROP VIEW {name}")
    context.run_migrations()
    tables = set(inspect(connection).get_table_names())
    for name, view in SHOWN_BY.items():
        if name in tables:
            connection.exec_driver_sql(VIEWS[view.name])
