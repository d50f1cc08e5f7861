"""The clock moved by a span, and events as they happen."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import click

from leasebook.cli.commands.actions import action_of
from leasebook.cli.commands.generated.kind import Asked, Kind
from leasebook.cli.commands.generated.times import is_relative, span_of, time_of
from leasebook.cli.commands.language import _
from leasebook.cli.commands.showing.rows import text
from leasebook.cli.commands.showing.span import short, time_of_cell
from leasebook.cli.exits import printable, remark


class Advance(Kind):
    """Move the clock."""

    hidden = frozenset({"to"})

    def parameters(self) -> list[click.Parameter]:
        """Return ``--by`` and ``--to``."""
        return [
            click.Option(["--by"], metavar="SPAN", help=_("By a span: 3h, 90min, 31d.")),
            click.Option(["--to"], metavar="TIME", help=_("To a time: 'tomorrow 18:00', 2026-12-01 18:00.")),
        ]

    def prepare(self, asked: Asked) -> None:
        """Set the new time. Raises UsageError."""
        by, to = asked.given["by"], asked.given["to"]
        if (by is None) == (to is None):
            if by is None and "to" in asked.body:
                return
            raise click.UsageError(_("Give one of --by and --to."))
        if by is not None:
            asked.body["to"] = (asked.session.now() + span_of(by)).isoformat()
        else:
            asked.body["to"] = time_of(to, asked.session.now() if is_relative(to) else None)


class Events(Kind):
    """The list of events, or with ``--follow`` the stream."""

    def parameters(self) -> list[click.Parameter]:
        """Return ``--follow``."""
        return [click.Option(["-f", "--follow"], is_flag=True, help=_("Show events as they happen, until Ctrl-C."))]

    def goes_on(self, asked: Asked) -> bool:
        """Follow, where that is asked for. Raises UsageError for filters that a stream does not have."""
        if not asked.given["follow"]:
            return True
        action = action_of("follow_events", "event")
        known = {"instanceId", "types", "accountId"}
        unknown = [name for name in asked.body if name not in known]
        if unknown:
            raise click.UsageError(_("--follow does not go with {names}.").format(names=", ".join(unknown)))
        follow(asked, action)
        return False


class AuditLog(Kind):
    """The list of calls."""

    def parameters(self) -> list[click.Parameter]:
        """Return ``--failed``."""
        return [
            click.Option(["--failed"], is_flag=True, help=_("Of the rows that --limit allows, only calls that failed."))
        ]

    def finish(self, asked: Asked, result: Any) -> Any:
        """Leave the calls out that were done."""
        if not asked.given["failed"]:
            return result
        return {**result, "entries": [one for one in result["entries"] if one.get("code") != "OK"]}


class Follow(Kind):
    """The stream of events."""

    def goes_on(self, asked: Asked) -> bool:
        """Print each event when it comes: a line each."""
        follow(asked, asked.action)
        return False


def follow(asked: Asked, action: Any) -> None:
    """Print events until Ctrl-C: lines for people on a terminal, else a JSON object a line."""
    if asked.view.is_table:
        remark(_("Events from now on. Ctrl-C ends it."))
    try:
        for event in asked.session.follow(action, asked.body):
            click.echo(_line(event) if asked.view.is_table else json.dumps(event, ensure_ascii=False))
    except KeyboardInterrupt:
        # Standard output may be a pipe whose reader has left with the same Ctrl-C.
        os._exit(0)


def _line(event: Mapping[str, Any]) -> str:
    at = time_of_cell(event.get("time"))
    data = event.get("data")
    more = text(data) if isinstance(data, Mapping) else ""
    parts = [short(at) if at is not None else "", str(event.get("type", "")), str(event.get("subject", "")), more]
    return printable("  ".join(part for part in parts if part))
