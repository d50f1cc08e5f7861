"""Serving: the socket, the signals, and the lines printed at the start."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple, cast

import click
import structlog
import uvicorn
import uvloop
from uvicorn.server import ServerState

from leasebook.api.app import App
from leasebook.api.audit_record import Addresses
from leasebook.api.health import Monitor
from leasebook.batch import Unavailable
from leasebook.config.load import Settings, secrets_of
from leasebook.domain.values.calendar import BadTime, Instant, parse_time
from leasebook.engines.registry import NoEngine
from leasebook.observability.logs.lines import configure_logging
from leasebook.ports.clock import Mode
from leasebook.security.vault import BadMasterKey
from leasebook.server.bootstrap import CREDENTIALS, WrongRoot, root_user
from leasebook.server.composition import Service, WrongClock, running
from leasebook.server.descriptors import ADMIN, SPARE, DescriptorPlan, TooFewFiles, planned
from leasebook.server.engine_homes import NotServed
from leasebook.server.factories import routes_of
from leasebook.server.listening import CannotStart, listen
from leasebook.server.ready_file import Announcer, ReadyReport
from leasebook.server.signals import SIGNALS, AskedToStop
from leasebook.server.transport.admin import Admin
from leasebook.server.transport.configuration import config_of, limits_of
from leasebook.server.transport.connection_limits import Caps, raise_file_limit
from leasebook.server.transport.listener import Listener, Make, Server
from leasebook.server.transport.tls import BadTls, Tls
from leasebook.store.errors import BadStore, NewerStore, StoreInUse
from leasebook.store.opening import Target
from leasebook.store.starting import entered

log = structlog.get_logger()

SWITCH_S: Final = 0.0005
"""How long a thread that reads keeps the interpreter from the loop, which asks for it several times for every call.
With Python's own 5 ms a crowd of readers makes a buyer wait for 25 ms."""

NOT_TO_BE_STARTED: Final = (
    *(BadStore, StoreInUse, NewerStore, BadMasterKey, WrongClock, WrongRoot, NoEngine, NotServed),
    Unavailable,
)


def run(
    settings: Settings,
    where: Target,
    *,
    host: str,
    port: int,
    demo: bool,
    clock_mode: str,
    asked: AskedToStop,
    announcer: Announcer | None = None,
    clock_start: str | None = None,
) -> None:
    """Serve until asked to stop; raises CannotStart. ``asked`` heeds signals until it serves.

    ``announcer`` tells programs when it does, and where. ``clock_start`` is where the virtual clock of a new store
    begins, in the service's zone.
    """
    _configure_logging(settings)
    starts_at = _first_instant(settings, clock_start, clock_mode)
    announcer = announcer or Announcer()
    _prepare(announcer)
    plan = _plan(settings, where)
    tls = _tls(settings)
    # The sockets first: where a port is taken, nothing else has been touched.
    listener = listen(host, port)
    admin = None
    try:
        if settings.admin_port is not None:
            admin = listen(settings.admin_host, settings.admin_port, "--admin-port")
        doors = _Doors(listener, admin, tls)
        uvloop.run(
            _serve(
                settings,
                where,
                doors,
                plan,
                asked,
                announcer,
                demo=demo,
                clock_mode=cast("Mode", clock_mode),
                starts_at=starts_at,
            )
        )
    except NOT_TO_BE_STARTED as error:
        raise CannotStart(str(error)) from None
    finally:
        announcer.over()
        listener.close()
        if admin is not None:
            admin.close()


def _first_instant(settings: Settings, text: str | None, clock_mode: str) -> Instant | None:
    if text is None:
        return None
    if clock_mode != "virtual":
        raise CannotStart("--clock-start is for a virtual clock: give --clock virtual as well, or leave it out.")
    try:
        return parse_time(text, settings.time_zone)
    except BadTime as error:
        raise CannotStart(f"--clock-start: {error}.") from None


def _prepare(announcer: Announcer) -> None:
    try:
        announcer.prepare()
    except OSError as error:
        raise CannotStart(
            f"--ready-file: {error.filename or 'the file'}: {error.strerror}. Name a file in a folder that exists and "
            "that this server may write to."
        ) from None


def _announce(announcer: Announcer, report: ReadyReport) -> None:
    try:
        announcer.ready(report)
    except OSError as error:
        raise CannotStart(f"--ready-file: the file cannot be written: {error.strerror}.") from None


class _Doors(NamedTuple):
    """Where callers come in, and where operators do."""

    public: socket.socket
    admin: socket.socket | None
    tls: Tls | None


def _tls(settings: Settings) -> Tls | None:
    """Return the certificate to serve with, if there is to be one; raises CannotStart where it will not do."""
    if settings.tls_cert_file is None or settings.tls_key_file is None:
        return None
    try:
        return Tls(settings.tls_cert_file, settings.tls_key_file)
    except BadTls as error:
        raise CannotStart(str(error)) from None


def _configure_logging(settings: Settings) -> None:
    configure_logging(settings.log_format, settings.log_level, secrets_of(settings))


def work(
    settings: Settings, where: Target, *, host: str, port: int | None, clock_mode: str, asked: AskedToStop
) -> None:
    """Do due work until asked to stop, and answer monitors if a port is given; raises CannotStart."""
    if where.url is None:
        raise CannotStart("The embedded store is served by one process, which does its due work; see --store.")
    _configure_logging(settings)
    plan = _plan(settings, where)
    listener = None if port is None else listen(host, port)
    try:
        uvloop.run(_work(settings, where, listener, plan, asked, clock_mode=cast("Mode", clock_mode)))
    except NOT_TO_BE_STARTED as error:
        raise CannotStart(str(error)) from None
    finally:
        if listener is not None:
            listener.close()


async def _work(
    settings: Settings,
    where: Target,
    listener: socket.socket | None,
    plan: DescriptorPlan,
    asked: AskedToStop,
    *,
    clock_mode: Mode,
) -> None:
    async with AsyncExitStack() as stack:
        service = await entered(stack, running(settings, where, clock_mode=clock_mode, plan=plan), where)
        log.info("doing due work", store=where.name)
        caps = Caps(ADMIN, None, lambda _: False, seats=0)
        server = _server(Monitor(service.health), settings, _made(settings, caps, service))
        stopped = asyncio.Event()
        for number in SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, _stop, server, service, stopped)
        asked.look()
        if listener is None:
            await stopped.wait()
        else:
            await server.serve(sockets=[listener])
    log.info("stopped")


def _server(
    app: App | Monitor | Admin, settings: Settings, make: Make, when_open: Callable[[], None] | None = None
) -> Server:
    return Server(config_of(app, drain_s=settings.server_drain_seconds), make, when_open)


def _made(settings: Settings, caps: Caps, service: Service, tls: Tls | None = None, name: str = "operators") -> Make:
    """Return what makes a listener of a socket."""
    limits = limits_of(settings)

    def make(config: uvicorn.Config, state: ServerState, listening: socket.socket) -> Listener:
        return Listener(listening, config, state, limits, caps, service.metrics.connections, tls, name)

    return make


def _plan(settings: Settings, where: Target) -> DescriptorPlan:
    """Share out the files that this process may open; raises CannotStart where they are too few."""
    engines = frozenset(route.engine for route in routes_of(settings, where))
    try:
        plan = planned(settings, engines, raise_file_limit())
    except TooFewFiles as error:
        raise CannotStart(str(error)) from None
    wanted = settings.http_connections_max
    if wanted is not None and wanted > plan.connections:
        log.warning(
            "fewer connections than http.connections_max says: the limit of open files leaves no more",
            connections=plan.connections,
            wanted=wanted,
            files=plan.files,
            kept=plan.kept,
        )
    return plan


def _caps(settings: Settings, plan: DescriptorPlan) -> Caps:
    proxies = Addresses([text for text in settings.trusted_proxies.split(",") if text])
    return Caps(plan.connections, settings.http_connections_per_address_max, proxies.trusts, seats=SPARE)


async def _serve(
    settings: Settings,
    where: Target,
    doors: _Doors,
    plan: DescriptorPlan,
    asked: AskedToStop,
    announcer: Announcer,
    *,
    demo: bool,
    clock_mode: Mode,
    starts_at: Instant | None,
) -> None:
    async with AsyncExitStack() as stack:
        starting = running(settings, where, clock_mode=clock_mode, demo=demo, plan=plan, starts_at=starts_at)
        service = await entered(stack, starting, where)
        caps = _caps(settings, plan)
        server = _server(
            service.app,
            settings,
            _made(settings, caps, service, doors.tls, "callers"),
            lambda: _announce(announcer, _report(doors, service, where, settings)),
        )
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, _stop, server, service, stopped)
        asked.look()
        if doors.tls is not None:
            loop.add_signal_handler(signal.SIGHUP, doors.tls.reload)
        if not announcer.prints:
            _greet(doors, service, where, settings, demo=demo)
        # Objects that exist now live to the end; the collector need not look at them again.
        gc.collect()
        gc.freeze()
        # A batch makes thousands of rows that die with it, and none of them is part of a cycle.
        gc.set_threshold(20_000, 20, 50)
        sys.setswitchinterval(SWITCH_S)
        async with _administered(settings, doors.admin, service):
            await server.serve(sockets=[doors.public])
        log.info("stopped listening, finishing what was accepted")
    log.info("stopped")


@asynccontextmanager
async def _administered(settings: Settings, listener: socket.socket | None, service: Service) -> AsyncIterator[None]:
    """Serve the second port meanwhile, and until the last answer of the first is out."""
    if listener is None:
        yield
        return
    service.health.apart = True
    caps = Caps(ADMIN, None, lambda _: False, seats=0)
    server = _server(Admin(service.health), settings, _made(settings, caps, service))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


def _stop(server: uvicorn.Server, service: Service, stopped: asyncio.Event) -> None:
    log.info("asked to stop")
    service.app.stop()
    stopped.set()
    server.should_exit = True


def _address(listener: socket.socket, scheme: str) -> str:
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _is_open_to_others(listener: socket.socket) -> bool:
    return not ipaddress.ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback


def _warning(doors: _Doors, settings: Settings) -> str:
    """Return a warning about the address that is listened on, or nothing if strangers cannot read its traffic."""
    if doors.tls is not None or settings.trusted_proxies or not _is_open_to_others(doors.public):
        return ""
    log.warning(
        "others may reach this port, and what is said there is not encrypted", address=_address(doors.public, "http")
    )
    return """
WARNING: others may reach this address, and what is said there is neither encrypted nor wholly signed.
  Give --tls-cert and --tls-key, or name the proxy with TLS that stands in front in the setting trusted_proxies.
"""


def _console_line(service: Service, base: str, prefix: str, *, demo: bool) -> str:
    """Return where the console is; with the demo, by a link that signs the reader in as the first user."""
    if service.console is None:
        return ""
    if not demo:
        return f"\n  console     {base}/console  (leasebook console prints a link to sign in)"
    link = service.console.link(root_user(service.store).id).removeprefix(prefix)
    return (
        f"\n  console     {base}{link}\n              (works once, for some minutes; leasebook console prints another)"
    )


def _report(doors: _Doors, service: Service, where: Target, settings: Settings) -> ReadyReport:
    """Return what programs learn of this server."""
    credentials = where.directory / CREDENTIALS
    made = service.root_secret_made
    return ReadyReport(
        url=_base(doors, settings),
        admin_url=None if doors.admin is None else _address(doors.admin, "http"),
        access_key=service.root_access_key,
        secret_key=None if made is None else made.reveal(),
        credentials_file=str(credentials.absolute()) if _is_from_file(settings, credentials) else None,
        clock=service.clock.mode,
        store=where.name,
    )


def _base(doors: _Doors, settings: Settings) -> str:
    url = _address(doors.public, "http" if doors.tls is None else "https")
    return f"{url}{settings.path_prefix.rstrip('/')}"


def _is_from_file(settings: Settings, credentials: Path) -> bool:
    return settings.root_access_key is None and credentials.exists()


def _greet(doors: _Doors, service: Service, where: Target, settings: Settings, *, demo: bool) -> None:
    admin = "" if doors.admin is None else f"\n  monitors    {_address(doors.admin, 'http')}"
    base = _base(doors, settings)
    console = _console_line(service, base, settings.path_prefix.rstrip("/"), demo=demo)
    credentials = where.directory / CREDENTIALS
    from_file = _is_from_file(settings, credentials)
    keys = (
        f"set -a; . {credentials}; set +a"
        if from_file
        else f"export QIANFAN_ACCESS_KEY={service.root_access_key} QIANFAN_SECRET_KEY=<its secret>"
    )
    click.echo(
        f"""
Leasebook serves on {base}
  access key  {service.root_access_key}{f"  (secret: {credentials})" if from_file else ""}
  clock       {service.clock.mode}
  store       {where.name}{admin}{console}
{_warning(doors, settings)}
Try it from a second terminal:
  {keys}
  .venv/bin/leasebook units list --url {base}

Or with curl:
  .venv/bin/leasebook sign /v2/catalog DescribeOfferings '{{}}' --url {base} |
    curl -s '{base}/v2/catalog?Action=DescribeOfferings' -H @- -H 'Content-Type: application/json' -d '{{}}'

Or from Python, with the official client (pip install qianfan):
  import os
  os.environ["QIANFAN_CONSOLE_API_BASE_URL"] = "{base}"
  from qianfan import resources
  print(resources.console.utils.call_action("/v2/computeunit", "DescribeComputeUnits", {{}}).body)

The Go client reads QIANFAN_CONSOLE_BASE_URL instead. Ctrl-C stops.
"""
    )
