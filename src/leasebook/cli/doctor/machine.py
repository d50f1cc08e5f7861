"""The faults of the machine that a server runs on: its directory, disk, limits, sandbox, and other servers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from leasebook.cli.doctor.finding import Finding, unusable
from leasebook.cli.terminal.texts import _, of_finding

if TYPE_CHECKING:
    from leasebook.config.load import Settings
    from leasebook.store.opening import Target

FREE_MIN_BYTES: Final = 1 << 30
"""Less free space is a finding."""
INODES_MIN: Final = 1000
COPIES: Final = "/var/tmp"  # noqa: S108 - SQLite makes a file without a name there
"""Where copies of the embedded store are made, unless TMPDIR names another folder."""
SERVING: Final = (b"serve", b"work")
"""The subcommands that run as long as a server does."""


class Serving(NamedTuple):
    """Where a server is to listen; ``port`` None: nothing is asked about that."""

    host: str
    port: int | None


def machine_findings(settings: Settings, where: Target, serving: Serving) -> Iterator[Finding]:
    """Yield the faults of the machine."""
    yield from _directory(where)
    yield from _disk(where.directory)
    yield from _files(settings, where)
    yield from _tls(settings)
    yield from _servers(where, serving)
    yield from _sandbox(settings, where)


def _directory(where: Target) -> Iterator[Finding]:
    from leasebook.security.private_files import TooOpen, check_private
    from leasebook.store.sqlite.directory import FILES

    try:
        check_private(where.directory, FILES)
    except TooOpen as error:
        yield Finding(
            "DirectoryOpen",
            str(error),
            _("Mode 0700 for the data directory and 0600 for the files in it: they hold keys and the books."),
            _("Run the command that the first line ends with. A server does not start before."),
        )
    except OSError as error:
        yield unusable(where.name, f"{where.directory}: {error.strerror}")


def _disk(directory: Path) -> Iterator[Finding]:
    from leasebook.store.sqlite.directory import STORE

    store = directory / STORE
    size = 0
    with suppress(OSError):
        size = store.stat().st_size
    for folder, needed, what in (
        (directory, FREE_MIN_BYTES, _("the store and its log grow there")),
        (Path(os.environ.get("TMPDIR") or COPIES), size, _("check, focus and audit copy the embedded store there")),
    ):
        try:
            free, nodes = shutil.disk_usage(folder).free, os.statvfs(folder)
        except OSError:
            continue
        if free < needed:
            yield Finding(
                "DiskLow",
                _("{folder} has {free} MiB free, and {what}.").format(folder=folder, free=free >> 20, what=what),
                _("{needed} MiB or more.").format(needed=-(-needed >> 20)),
                _(
                    "Make room, or move the directory to a larger disk. A full disk stops purchases; releases wait, "
                    "and are then late."
                ),
            )
        if nodes.f_files and nodes.f_favail < INODES_MIN:
            yield Finding(
                "InodesLow",
                _("{folder} can take {count} more files.").format(folder=folder, count=nodes.f_favail),
                _("{count} or more: the process engine makes some files for each replica.").format(count=INODES_MIN),
                _("Delete files that nothing needs, or take a file system with more inodes (mkfs -N)."),
            )


def _files(settings: Settings, where: Target) -> Iterator[Finding]:
    from leasebook.server.descriptors import TooFewFiles, planned
    from leasebook.server.factories import routes_of
    from leasebook.server.transport.connection_limits import raise_file_limit

    allowed = _("Two files for each connection, and some for the server itself. 65,536 is enough for everything.")
    remedy = _("Raise the limit: ulimit -n 65536, or LimitNOFILE=65536 of systemd. Or lower http.connections_max.")
    engines = frozenset(route.engine for route in routes_of(settings, where))
    try:
        plan = planned(settings, engines, raise_file_limit())
    except TooFewFiles as error:
        yield Finding("FileLimitLow", str(error), allowed, remedy)
        return
    wanted = settings.http_connections_max
    if wanted is not None and wanted > plan.connections:
        yield Finding(
            "FileLimitLow",
            _(
                "This process may open {files} files. That is enough for {connections} connections, and "
                "http.connections_max is {wanted}."
            ).format(files=plan.files, connections=plan.connections, wanted=wanted),
            allowed,
            remedy,
        )


def _tls(settings: Settings) -> Iterator[Finding]:
    from leasebook.server.transport.tls import BadTls, load

    if settings.tls_cert_file is None or settings.tls_key_file is None:
        return
    try:
        load(settings.tls_cert_file, settings.tls_key_file)
    except BadTls as error:
        yield Finding(
            "BadTls",
            str(error),
            _("A certificate of today and its key, in PEM, the key readable by its owner only."),
            _("Do what the first line says; tls.cert_file and tls.key_file name the files."),
        )


def _servers(where: Target, serving: Serving) -> Iterator[Finding]:
    """Look who has the store open, and whether a server could listen."""
    from leasebook.store.maintenance.diagnosis import server_of, servers_on

    owner = None if where.url is not None else server_of(where.directory)
    others = sorted(one for one in servers_on(where.directory) - {owner} if _serves(one)) if where.url is None else []
    if owner is not None and others:
        yield Finding(
            "SecondServer",
            _("Process {owner} serves {directory}, and process {other} serves it as well.").format(
                owner=owner, directory=where.directory, other=others[0]
            ),
            _("One server for a data directory: the file “lock” keeps others out, unless it was deleted or replaced."),
            _("Stop both, then start one, and run leasebook check. For several servers take PostgreSQL."),
        )
    if serving.port is None:
        return
    from leasebook.server.listening import CannotStart, listen

    try:
        listen(serving.host, serving.port).close()
    except CannotStart as error:
        # Any number of servers work on PostgreSQL, and the one at this port may be one of them.
        if (owner is None and where.url is None) or not _is_ours(serving):
            yield Finding(
                "PortTaken",
                str(error),
                _("An address of this machine, and a port of it that no other program has."),
                _("Choose another with --host and --port, or stop the program that has it (ss -ltnp shows which)."),
            )
        return
    if owner is not None:
        yield Finding(
            "DirectoryInUse",
            _("Process {owner} serves {directory}, and not on port {port}: a second server could not start.").format(
                owner=owner, directory=where.directory, port=serving.port
            ),
            _("One server for a data directory."),
            _("Stop that process, or give the new server --data of its own. For several servers take PostgreSQL."),
        )


def _serves(process: int) -> bool:
    try:
        words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return any(word in SERVING for word in words)


def _is_ours(serving: Serving) -> bool:
    """Whether Leasebook answers at a port."""
    from leasebook.cli.doctor.caller import server_findings

    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(serving.host, serving.host)  # noqa: S104 - a name, not a listener
    return not any(
        one.fault in {"NotReachable", "NotLeasebook"}
        for one in server_findings(f"http://{host}:{serving.port}", os.environ)
    )


def _sandbox(settings: Settings, where: Target) -> Iterator[Finding]:
    from leasebook.engines.sandbox.layers import find_layers
    from leasebook.server.factories import routes_of, sandbox_of

    if not any(route.engine == "process" for route in routes_of(settings, where)):
        return
    sandbox = sandbox_of(settings)
    missing = list(find_layers(sandbox).missing)
    if sandbox.mode == "off":
        missing = [
            _("engines_process.sandbox is off: replicas run with the rights of the server, and can read its keys")
        ]
    for what in missing:
        yield Finding(
            "SandboxIncomplete",
            _("The sandbox of replicas is not complete: {what}.").format(what=of_finding(what)),
            _("All of its parts, as soon as a model version comes from someone who is not trusted."),
            _(
                "Do what the first line names (docs/operating/engine-process.md), or run only models that operators "
                "approved."
            ),
        )
