"""The start of a service on a store: each error of a damaged or absent store becomes a BadStore of one line."""

from __future__ import annotations

import sqlite3
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import TypeVar

import structlog

from leasebook.store.errors import BadStore
from leasebook.store.opening import Target
from leasebook.store.sqlite.damage import UNREADABLE, unusable
from leasebook.store.sqlite.directory import STORE

log = structlog.get_logger()
T = TypeVar("T")


async def entered(stack: AsyncExitStack, starting: AbstractAsyncContextManager[T], where: Target) -> T:
    """Enter the context that runs a service on a store; raises BadStore for errors of a damaged or absent store."""
    try:
        return await stack.enter_async_context(starting)
    except sqlite3.Error as error:
        raise unusable(where.directory / STORE, error) from error
    except _errors_of_database(where) as error:
        raise BadStore(f"The database cannot be used: {' '.join(str(error).split())}") from error
    except UNREADABLE as error:
        log.debug("the start met a row that it cannot read", exc_info=True)
        if where.url is None:
            raise unusable(where.directory / STORE, error) from error
        raise BadStore(
            f"The database is damaged: a row of it cannot be read ({type(error).__name__}: {error}). Nothing was "
            "changed. Restore a backup, or see with leasebook check what is damaged."
        ) from error


def _errors_of_database(where: Target) -> tuple[type[Exception], ...]:
    """Return what the driver of PostgreSQL raises. It is imported where it is used: it takes long to import."""
    if where.url is None:
        return ()
    import psycopg

    return (psycopg.Error,)
