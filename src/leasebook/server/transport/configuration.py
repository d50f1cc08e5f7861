"""The settings of every listener of ours: uvicorn's configuration, and the limits of a connection."""

from __future__ import annotations

from typing import Any

import uvicorn

from leasebook.config.fields import Settings
from leasebook.server.transport.pace import Limits
from leasebook.server.transport.websocket_scope import SocketProtocol


def config_of(app: Any, *, drain_s: int | None = None) -> uvicorn.Config:
    """Return the configuration of an ASGI application's server.

    ``drain_s`` bounds the wait for answers under way when uvicorn's own server stops, in seconds; None: no bound.
    """
    return uvicorn.Config(
        app,
        http="httptools",
        ws=SocketProtocol,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        # Scope and setting tell who calls (``api/audit_record.py``), and no header that a program here may write.
        proxy_headers=False,
        timeout_graceful_shutdown=drain_s,
    )


def limits_of(settings: Settings) -> Limits:
    """Return how slow a connection may be."""
    return Limits(
        head_s=settings.http_head_seconds,
        body_s=settings.http_body_seconds,
        body_rate=settings.http_body_bytes_per_second,
        idle_s=settings.http_idle_seconds,
        write_s=settings.http_write_seconds,
    )
