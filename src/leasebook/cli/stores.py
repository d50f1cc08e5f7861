"""Subcommands that look after a store: check, migrate, copy, backup, archive, accept-loss."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from leasebook.cli.exits import FAILED, NOTHING_IN_IT, stop
from leasebook.cli.server_packages import ServerCommand
from leasebook.cli.terminal.progress import progress_option, shown
from leasebook.cli.terminal.texts import _, ngettext, of_error, of_finding

if TYPE_CHECKING:
    from leasebook.config.load import Settings
    from leasebook.ports.queries.read_repository import ReadRepository
    from leasebook.security.audit_keys import AuditKeys
    from leasebook.store.opening import Target

_PASSWORD = re.compile(r"[a-z]+://[^/@:]*:[^/@]+@|.*[?&]password=")
# The code that needs a directory refuses an unreadable one, with a message that says how to mend it.
DIRECTORY = click.Path(path_type=Path, file_okay=False, readable=False)


def store_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that name the store to a subcommand."""
    function = click.option(
        "--data",
        type=DIRECTORY,
        default=Path("data"),
        show_default=True,
        help="Directory of the embedded store, and of the master key.",
    )(function)
    return click.option(
        "--store",
        default=None,
        help="The store: postgresql://HOST/DATABASE; none: what LEASEBOOK_STORE says, else the embedded one.",
    )(function)


def target(data: Path, store: str | None, option: str = "--store") -> Target:
    """Return the store that is meant, by ``--store``, else by LEASEBOOK_STORE, else the embedded one.

    Ends the command where an address cannot be one, and where a variable is named like a setting and is none.
    """
    from leasebook.config.load import BadSettings, check_names, secret_of
    from leasebook.store import opening

    try:
        check_names(os.environ)
    except BadSettings as error:
        stop(error)
    given = store is not None
    if store is None:
        try:
            named = secret_of("store", os.environ)
        except BadSettings as error:
            stop(error)
        store = None if named is None else named.reveal()
        shows_password = False
    else:
        shows_password = _PASSWORD.match(store) is not None
    with refusing():
        where = opening.target(data, store)
        opening.check_address(where, option if given else _variable_of_store())
    if shows_password:
        click.echo(
            _(
                "leasebook: --store has a password in it, and every user of this machine can read a command line. Set "
                "LEASEBOOK_STORE, or LEASEBOOK_STORE_FILE, instead."
            ),
            err=True,
        )
    return where


def _variable_of_store() -> str:
    return "LEASEBOOK_STORE" if "LEASEBOOK_STORE" in os.environ else "LEASEBOOK_STORE_FILE"


def founding_new(where: Target) -> Target:
    """Return the embedded store of the options, to be created if it is gone; ends the command for other stores."""
    import msgspec

    if where.url is not None:
        stop(_("--new creates an embedded store; in an empty database a store is created without it."))
    return msgspec.structs.replace(where, new=True)


@contextmanager
def refusing() -> Iterator[None]:
    """End with one line where a store, or a file that belongs to it, cannot be used."""
    from leasebook.store.errors import BadStore, NewerStore, StoreInUse

    try:
        yield
    except (BadStore, NewerStore, StoreInUse) as error:
        stop(error)
    except OSError as error:
        stop(f"{error.filename}: {error.strerror}" if error.filename else error)


def _settings() -> Settings:
    """Return the settings of the environment; ends the command where one is wrong."""
    from leasebook.config.load import BadSettings, load_settings

    try:
        return load_settings(None, os.environ)
    except BadSettings as error:
        stop(error)


def audit_keys(where: Target) -> AuditKeys | None:
    """Return the keys of the audit log where the store's master key is at hand; None where it is not.

    Ends the command where the key lies there and cannot be used, and where a setting is wrong, which may be the one
    that says where the key is: "not here" would be untrue.
    """
    from leasebook.security.vault import UnusableMasterKey
    from leasebook.store.queries.snapshot import glimpse

    settings = _settings()
    with glimpse(where) as ask:
        try:
            return _keys_by(settings, where, ask)
        except UnusableMasterKey as error:
            stop(error)


def _keys_by(settings: Settings, where: Target, ask: ReadRepository) -> AuditKeys | None:
    """Return the keys by the facts that a snapshot has; raises UnusableMasterKey."""
    from leasebook.security.keyring import Keyring, keys_of, rotation_state
    from leasebook.security.vault import BadMasterKey, UnusableMasterKey

    try:
        return keys_of(Keyring(settings, where.directory), rotation_state(ask))[1]
    except UnusableMasterKey:
        raise
    except BadMasterKey:
        return None


def _keys_if_any(settings: Settings, where: Target, ask: ReadRepository, unusable: list[str]) -> AuditKeys | None:
    """Return the keys of the audit log, as far as a store that may be damaged says which they are.

    A key that is there and cannot be used is added to ``unusable``: the books can be proved without it, the seals
    cannot. One that may not be read ends the command, which then needs only another user.
    """
    from leasebook.security.vault import UnreadableMasterKey, UnusableMasterKey

    try:
        return _keys_by(settings, where, ask)
    except UnreadableMasterKey as error:
        stop(error)
    except UnusableMasterKey as error:
        unusable.append(f"the seals were not checked: {error}")
        return None
    except (OSError, ValueError, LookupError):
        # The check itself reports the faults of the store, row by row.
        return None


@click.command(cls=ServerCommand)
@store_options
@progress_option
def check(data: Path, store: str | None, lines: bool) -> None:  # noqa: FBT001
    """Prove a store: its files, its books and its audit log, also while a server works on it."""
    from leasebook.store.queries.read_repository import Queries
    from leasebook.store.verify.check import check_store

    where, settings = target(data, store), _settings()
    unusable: list[str] = []
    with refusing(), shown(lines=lines) as progress:
        # Read from the same snapshot as the rest: the master key may be replaced during the check.
        report = check_store(where, lambda fetch: _keys_if_any(settings, where, Queries(fetch), unusable), progress)
    summary = of_finding(report.summary)
    for finding in (*report.findings, *unusable):
        click.echo(of_finding(finding))
    if not report.findings:
        click.echo(_("The books are right: {summary}.").format(summary=summary))
    for remark in report.remarks:
        click.echo(_("remark: {remark}").format(remark=of_finding(remark)))
    if unusable and not report.findings:
        sys.exit(FAILED)
    if report.findings:
        number = len(report.findings)
        wrong = ngettext("{number} row is wrong: {summary}", "{number} rows are wrong: {summary}", number)
        click.echo(wrong.format(number=number, summary=summary), err=True)
        sys.exit(FAILED)


@click.command(cls=ServerCommand)
@store_options
@progress_option
def migrate(data: Path, store: str | None, lines: bool) -> None:  # noqa: FBT001
    """Bring a store's schema to this version; servers do it by themselves when they start."""
    from leasebook.store.opening import upgrade

    where = target(data, store)
    with refusing(), shown(lines=lines) as progress:
        revision = upgrade(where, progress)
    click.echo(_("{name} is at schema {revision}.").format(name=where.name, revision=revision))


@click.command(cls=ServerCommand)
@click.option("--from", "source", required=True, help="sqlite:///DIRECTORY or postgresql://HOST/DATABASE")
@click.option("--to", "goal", required=True, help="An empty store of either kind.")
@progress_option
def copy(source: str, goal: str, lines: bool) -> None:  # noqa: FBT001
    """Copy a store into an empty one, and check the copy. The master key is not in the store: take it along."""
    from leasebook.store.maintenance.copy import copy as copy_store

    # Before anything is written: a command that cannot begin has copied nothing.
    settings = _settings()
    old, new = target(Path("data"), source, "--from"), target(Path("data"), goal, "--to")
    with refusing(), shown(lines=lines) as progress:
        copied = copy_store(old, new, progress)
    click.echo(
        _("Copied {rows} rows to {name}. The books are right: {summary}.").format(
            rows=sum(copied.rows.values()), name=new.name, summary=of_finding(copied.summary)
        )
    )
    for line in _moved(settings, old, new):
        click.echo(of_error(line))


def _moved(settings: Settings, old: Target, new: Target) -> list[str]:
    """Say what the servers of a copy need, to go on as those of the store it was made of."""
    from leasebook.server.engine_homes import moved
    from leasebook.server.factories import routes_of
    from leasebook.store.queries.snapshot import snapshot

    with refusing(), snapshot(new) as ask:
        return moved(ask.jobs(None), routes_of(settings, old), routes_of(settings, new))


@click.command(cls=ServerCommand)
@store_options
@click.option("--before", required=True, help="RFC 3339, or YYYY-MM-DD HH:MM:SS in UTC: the first moment that stays.")
@click.option("--to", "goal", type=click.Path(path_type=Path, dir_okay=False), required=True, help="A new .jsonl.gz.")
@progress_option
def archive(data: Path, store: str | None, before: str, goal: Path, lines: bool) -> None:  # noqa: FBT001
    """Roll up the hourly charges of months long past into one posting each; the hourly ones go into a file."""
    from leasebook.domain.values.calendar import BadTime, parse_time
    from leasebook.store.maintenance.archive import archive as archive_store

    try:
        moment = parse_time(before, "UTC")
    except BadTime as error:
        stop(f"--before: {error}")
    with refusing(), shown(lines=lines) as progress:
        done = archive_store(target(data, store), moment, goal, progress)
    if not done.hourly:
        stop(
            _("{goal} is empty: there is no month before {before} with several hourly charges of one kind.").format(
                goal=goal, before=before
            ),
            NOTHING_IN_IT,
        )
    click.echo(
        _("{hourly} postings are in {goal} ({file_bytes} bytes); {monthly} stand for them now.").format(
            hourly=done.hourly, goal=goal, file_bytes=done.file_bytes, monthly=done.monthly
        )
    )


@click.command(cls=ServerCommand)
@click.option("--data", type=DIRECTORY, default=Path("data"), show_default=True)
@click.option("--to", "goal", type=click.Path(path_type=Path, dir_okay=False), required=True, help="A new file.")
@progress_option
def backup(data: Path, goal: Path, lines: bool) -> None:  # noqa: FBT001
    """Copy the embedded store into one file, while it is served. Keep the master key with it, elsewhere."""
    from leasebook.store.maintenance.backup import back_up

    with refusing(), shown(lines=lines) as progress:
        size = back_up(data, goal, progress)
    click.echo(
        _("{goal}: {size} bytes. To restore, put it into an empty directory as leasebook.db, with master.key.").format(
            goal=goal, size=size
        )
    )


@click.command("accept-loss", cls=ServerCommand)
@click.option("--data", type=DIRECTORY, default=Path("data"), show_default=True)
def accept_loss(data: Path) -> None:
    """Let the embedded store be served although it lacks writes that were acknowledged. Stop the server first."""
    from leasebook.store.errors import BadStore
    from leasebook.store.maintenance.accept_loss import accept_loss as accept
    from leasebook.store.opening import Target

    with refusing():
        try:
            keys = audit_keys(Target(data))
        except BadStore:
            # The start reports other faults of the store.
            keys = None
        said = accept(data, keys)
    click.echo(of_finding(said))
