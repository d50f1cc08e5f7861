"""Subcommand ``audit``: the audit log as a file, or on standard output."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import click

from leasebook.cli.exits import FAILED, NOTHING_IN_IT, leave_unread, stop
from leasebook.cli.server_packages import ServerCommand
from leasebook.cli.stores import refusing, store_options, target
from leasebook.cli.terminal.texts import _, ngettext, of_error

if TYPE_CHECKING:
    from leasebook.domain.values.calendar import Instant
    from leasebook.ports.queries.read_repository import ReadRepository

COLUMNS: Final = (
    "chain",
    "page",
    "hash",
    "line",
    "time",
    "accountId",
    "userId",
    "accessKeyId",
    "address",
    "path",
    "action",
    "status",
    "code",
    "message",
    "requestId",
    "names",
    "clientToken",
    "body",
)
"""The fields of a line, in this order. Append only."""


def _moment(_context: click.Context, _parameter: click.Parameter, text: str | None) -> Instant | None:
    from leasebook.domain.values.calendar import BadTime, parse_time

    try:
        return None if text is None else parse_time(text, "UTC")
    except BadTime as error:
        raise click.BadParameter(of_error(error)) from None


@click.command(cls=ServerCommand)
@store_options
@click.option("--account", default=None, help='One account\'s id, "" for unauthenticated calls; none: all.')
@click.option("--since", callback=_moment, default=None, help="RFC 3339, or YYYY-MM-DD HH:MM:SS in UTC.")
@click.option("--until", callback=_moment, default=None, help="The same: the first moment that is left out.")
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@click.option("--bom", is_flag=True, help="Begin a CSV with the mark by which spreadsheets know UTF-8.")
@click.option(
    "--out", "goal", type=click.Path(path_type=Path, dir_okay=False), default=None, help="A new file; none: stdout."
)
def audit(
    data: Path,
    store: str | None,
    account: str | None,
    since: Instant | None,
    until: Instant | None,
    form: str,
    bom: bool,  # noqa: FBT001
    goal: Path | None,
) -> None:
    """Export the audit log, each entry with its page and hash, also while a server works on the store."""
    import msgspec

    from leasebook.store.queries.snapshot import snapshot

    if bom and form != "csv":
        raise click.BadParameter(_("only a CSV has one; add --format csv."), param_hint="--bom")
    if since is not None and until is not None and until <= since:
        raise click.BadParameter(
            _("it is no later than --since, so that no entry can lie between."), param_hint="--until"
        )
    count = 0
    try:
        with refusing(), snapshot(target(data, store)) as ask:
            if account and ask.account(account) is None:
                stop(_("There is no account {account!r}.").format(account=account[:64]), FAILED)
            with _opened(goal) as file:
                put = _csv(file, bom=bom) if form == "csv" else _jsonl(file)
                count = _put_all(put, _lines(ask, account, since, until))
    except BrokenPipeError:
        leave_unread()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        stop(_("a page of the audit log cannot be read, run leasebook check: {error}").format(error=error), FAILED)
    if not count:
        said = _("No entry of the audit log is asked for by this.")
        has_none = _("No entry of the audit log is asked for by this, and {goal} has none.")
        stop(said if goal is None else has_none.format(goal=goal), NOTHING_IN_IT)
    if goal is not None:
        click.echo(ngettext("{goal}: {count} entry.", "{goal}: {count} entries.", count).format(goal=goal, count=count))


def _put_all(put: Callable[[tuple[Any, ...]], None], lines: Iterator[tuple[Any, ...]]) -> int:
    count = 0
    for line in lines:
        put(line)
        count += 1
    return count


@contextmanager
def _opened(goal: Path | None) -> Iterator[IO[str]]:
    """Open a new file, which has its name once it is complete and on the disk."""
    if goal is None:
        # Whatever the locale says: names in every script are in it.
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")
        yield sys.stdout
        return
    if goal.exists():
        stop(_("{goal} exists already; an export never writes over another file").format(goal=goal), FAILED)
    from leasebook.security.private_files import opened_private

    part = goal.with_name(f"{goal.name}.part")
    try:
        with open(part, "w", encoding="utf-8", newline="", opener=opened_private) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.rename(goal)
    except OSError as error:
        part.unlink(missing_ok=True)
        stop(_("{goal} cannot be written: {strerror}").format(goal=goal, strerror=error.strerror or error), FAILED)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _lines(
    ask: ReadRepository, account: str | None, since: Instant | None, until: Instant | None
) -> Iterator[tuple[Any, ...]]:
    from leasebook.domain.record.audit_log import read_body
    from leasebook.domain.values.calendar import rfc3339

    for page in ask.audit_export(account, since, until):
        for index, entry in enumerate(read_body(page.body).entries):
            if (since is None or entry.at >= since) and (until is None or entry.at < until):
                yield (
                    page.chain,
                    page.number,
                    page.hash.hex(),
                    index,
                    rfc3339(entry.at, "UTC"),
                    page.account_id,
                    entry.user_id,
                    entry.access_key,
                    entry.address,
                    entry.path,
                    entry.action,
                    entry.status,
                    entry.code,
                    entry.message,
                    entry.request_id,
                    list(entry.names),
                    entry.token,
                    entry.body,
                )


def _jsonl(file: IO[str]) -> Callable[[tuple[Any, ...]], None]:
    import msgspec

    encode = msgspec.json.Encoder().encode

    def put(line: tuple[Any, ...]) -> None:
        file.write(encode(dict(zip(COLUMNS, line, strict=True))).decode() + "\n")

    return put


def _csv(file: IO[str], *, bom: bool) -> Callable[[tuple[Any, ...]], None]:
    from leasebook.export.csv_table import Table

    table = Table(file, bom=bom)
    table.put(COLUMNS)

    def put(line: tuple[Any, ...]) -> None:
        table.put([_cell(value) for value in line])

    return put


def _cell(value: Any) -> str:
    """Write a cell: callers choose these texts."""
    from leasebook.export.csv_table import text_cell

    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return text_cell(" ".join(value) if isinstance(value, list) else str(value))
