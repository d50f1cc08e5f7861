"""Serving: the socket, the signals, and what is printed at the start."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Iterator
from typing import Final, cast

import click
import structlog
import uvicorn
import uvloop

from leasehold.api.app import App
from leasehold.api.health import Monitor
from leasehold.cli.transport import JoinedProtocol
from leasehold.clock import Mode
from leasehold.engines.building import NoEngine
from leasehold.founding import CREDENTIALS, WrongRoot
from leasehold.settings import Settings
from leasehold.store.errors import BadStore, NewerStore, StoreInUse
from leasehold.store.opening import Target
from leasehold.telemetry import configure_logging
from leasehold.vault import BadMasterKey
from leasehold.wiring import Service, WrongClock, running

log = structlog.get_logger()

BACKLOG: Final = 2048
# Longer than the idle time that clients and load balancers keep a connection for.
KEEP_ALIVE_S: Final = 75


NOT_TO_BE_STARTED: Final = (BadStore, StoreInUse, NewerStore, BadMasterKey, WrongClock, WrongRoot, NoEngine)


class CannotStart(Exception):
    """Why the server does not start, in one line."""


class _Server(uvicorn.Server):
    """uvicorn, but the signals are ours: a clean stop ends with exit code 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def run(settings: Settings, where: Target, *, host: str, port: int, demo: bool, clock_mode: str) -> None:
    """Serve until told to stop; raises CannotStart."""
    _configure_logging(settings)
    # The socket first: where the port is taken, nothing else has been touched.
    listener = _listen(host, port)
    try:
        uvloop.run(_serve(settings, where, listener, demo=demo, clock_mode=cast("Mode", clock_mode)))
    except NOT_TO_BE_STARTED as error:
        raise CannotStart(str(error)) from None
    finally:
        listener.close()


def _configure_logging(settings: Settings) -> None:
    given = (settings.master_key, settings.master_key_next, settings.root_secret_key, settings.smtp_url)
    secrets = [secret for secret in given if secret is not None]
    configure_logging(settings.log_format, settings.log_level, secrets)


def work(settings: Settings, where: Target, *, host: str, port: int | None, clock_mode: str) -> None:
    """Do due work until told to stop, and answer monitors where a port is given; raises CannotStart."""
    if where.url is None:
        raise CannotStart("The embedded store is served by one process, which does its due work; see --store.")
    _configure_logging(settings)
    listener = None if port is None else _listen(host, port)
    try:
        uvloop.run(_work(settings, where, listener, clock_mode=cast("Mode", clock_mode)))
    except NOT_TO_BE_STARTED as error:
        raise CannotStart(str(error)) from None
    finally:
        if listener is not None:
            listener.close()


async def _work(settings: Settings, where: Target, listener: socket.socket | None, *, clock_mode: Mode) -> None:
    async with running(settings, where, clock_mode=clock_mode) as service:
        log.info("doing due work", store=where.name)
        server = _Server(_config(Monitor(service.health), settings))
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, _stop, server, service, stopped)
        if listener is None:
            await stopped.wait()
        else:
            await server.serve(sockets=[listener])
    log.info("stopped")


def _config(app: App | Monitor, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=JoinedProtocol,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        # Who calls is told by scope and setting (``api/record.py``), not by whoever writes a header on this machine.
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=settings.server_drain_seconds,
    )


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        raise CannotStart(
            f"Cannot listen on {host}:{port}: {error.strerror or error}. Is another server running? Choose --port."
        ) from None
    listener.setblocking(False)
    return listener


async def _serve(settings: Settings, where: Target, listener: socket.socket, *, demo: bool, clock_mode: Mode) -> None:
    async with running(settings, where, clock_mode=clock_mode, demo=demo) as service:
        server = _Server(_config(service.app, settings))
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, _stop, server, service, stopped)
        host, port = listener.getsockname()[:2]
        _greet(
            f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}",
            service,
            where,
            settings,
        )
        # What lives now lives to the end; the collector need not look at it again.
        gc.collect()
        gc.freeze()
        # A batch makes thousands of rows that die with it, and none of them is part of a cycle.
        gc.set_threshold(20_000, 20, 50)
        await server.serve(sockets=[listener])
        log.info("stopped listening, finishing what was accepted")
    log.info("stopped")


def _stop(server: uvicorn.Server, service: Service, stopped: asyncio.Event) -> None:
    log.info("asked to stop")
    service.app.stop()
    stopped.set()
    server.should_exit = True


def _greet(url: str, service: Service, where: Target, settings: Settings) -> None:
    base = f"{url}{settings.path_prefix.rstrip('/')}"
    credentials = where.directory / CREDENTIALS
    from_file = settings.root_access_key is None and credentials.exists()
    keys = (
        f"set -a; . {credentials}; set +a"
        if from_file
        else f"export QIANFAN_ACCESS_KEY={service.root_access_key} QIANFAN_SECRET_KEY=<its secret>"
    )
    click.echo(
        f"""
Leasehold serves on {base}
  access key  {service.root_access_key}{f"  (secret: {credentials})" if from_file else ""}
  clock       {service.clock.mode}
  store       {where.name}

Try it from a second terminal:
  {keys}
  curl -s '{base}/v2/catalog?Action=DescribeOfferings' -H 'Content-Type: application/json' -d '{{}}' \\
    -H "Authorization: $(.venv/bin/leasehold sign /v2/catalog DescribeOfferings --url {base})"

Or from Python, with the official client (pip install qianfan):
  import os
  os.environ["QIANFAN_CONSOLE_API_BASE_URL"] = "{base}"
  from qianfan import resources
  print(resources.console.utils.call_action("/v2/computeunit", "DescribeComputeUnits", {{}}).body)

The Go client reads QIANFAN_CONSOLE_BASE_URL instead. Ctrl-C stops.
"""
    )
