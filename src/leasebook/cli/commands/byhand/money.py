"""Costs and statements, with periods as people say them; and the export of costs as a file."""

from __future__ import annotations

import re
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from leasebook.cli.commands.generated.kind import Asked, Kind
from leasebook.cli.commands.generated.times import is_relative, time_of
from leasebook.cli.commands.language import _
from leasebook.cli.exits import FAILED, remark, stop

_MONTH: Final = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
_BEFORE: Final = re.compile(r"-(\d{1,3})")
DECEMBER: Final = 12


def month_of(text: str | None, now: datetime) -> str:
    """Return a month: 2026-11; this one for None; -1 for the last one. Raises BadParameter."""
    if text is None or text in {"this", "now"}:
        return f"{now:%Y-%m}"
    if _MONTH.fullmatch(text):
        return text
    found = _BEFORE.fullmatch("-1" if text == "last" else text)
    if found is None:
        raise click.BadParameter(_("{given} is no month; write one like 2026-11, or last.").format(given=text))
    months = now.year * 12 + now.month - 1 - int(found[1])
    return f"{months // 12:04}-{months % 12 + 1:02}"


def after(month: str) -> str:
    """Return the month after a month."""
    year, number = int(month[:4]), int(month[5:])
    return f"{year + 1:04}-01" if number == DECEMBER else f"{year:04}-{number + 1:02}"


class Costs(Kind):
    """Costs of a month, or of any period."""

    hidden = frozenset({"from", "to", "groupBy"})

    def parameters(self) -> list[click.Parameter]:
        """Return the options of the period and of the groups."""
        return [
            click.Option(["--by"], help=_("Sum them by these, with commas: project, user, type, tag:team and others.")),
            click.Option(
                ["--month"], metavar="MONTH", help=_("Of a month: 2026-11, or last; this one if it is left out.")
            ),
            click.Option(["--from", "since"], metavar="TIME", help=_("Since when, in place of --month.")),
            click.Option(["--to", "until"], metavar="TIME", help=_("Until when; until now if it is left out.")),
        ]

    def prepare(self, asked: Asked) -> None:
        """Set the period and the groups. Raises UsageError."""
        given, body = asked.given, asked.body
        if given["by"]:
            body["groupBy"] = [one.strip() for one in given["by"].split(",")]
        if given["since"] is None and given["until"] is None:
            if "from" not in body:
                month = month_of(given["month"], asked.session.now())
                body |= {"from": f"{month}-01 00:00:00", "to": f"{after(month)}-01 00:00:00"}
            return
        if given["month"] is not None or given["since"] is None:
            raise click.UsageError(_("Give --month, or --from and --to."))
        now = asked.session.now() if given["until"] is None or is_relative(given["since"]) else None
        body["from"] = time_of(given["since"], now)
        if given["until"] is None:
            # Costs are kept by full hours.
            hour = asked.session.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
            body["to"] = hour.isoformat()
        else:
            body["to"] = time_of(given["until"], asked.session.now() if is_relative(given["until"]) else None)


class Statement(Kind):
    """The statement of a month."""

    hidden = frozenset({"month"})

    def parameters(self) -> list[click.Parameter]:
        """Return ``--month``."""
        return [
            click.Option(
                ["--month"], metavar="MONTH", help=_("Of a month: 2026-11, or last; this one if it is left out.")
            )
        ]

    def prepare(self, asked: Asked) -> None:
        """Set the month. Raises BadParameter."""
        if asked.given["month"] is not None or "month" not in asked.body:
            asked.body["month"] = month_of(asked.given["month"], asked.session.now())


class Export(Kind):
    """A file of costs."""

    def parameters(self) -> list[click.Parameter]:
        """Return ``--out``."""
        return [
            click.Option(
                ["--out"],
                type=click.Path(path_type=Path, dir_okay=False),
                help=_("A new file; left out: standard output."),
            )
        ]

    def goes_on(self, asked: Asked) -> bool:
        """Write the file: there is no answer to show."""
        goal: Path | None = asked.given["out"]
        pieces = asked.session.download(asked.action, asked.body)
        if goal is None:
            for piece in pieces:
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            return False
        try:
            with goal.open("xb") as file:
                for piece in pieces:
                    file.write(piece)
        except FileExistsError:
            stop(_("{file} exists already, and no export writes over a file.").format(file=goal), FAILED)
        except BaseException:
            goal.unlink(missing_ok=True)
            raise
        click.echo(_("{file}: {size} bytes.").format(file=goal, size=goal.stat().st_size))
        return False


class Limits(Kind):
    """The limits of an account."""

    def finish(self, asked: Asked, result: Any) -> Any:
        """Say where there are none."""
        if asked.view.is_table and not any(value for name, value in result.items() if name != "accountId"):
            remark(_("There are no limits. `leasebook limits set` sets some."))
        return result


class Keys(Kind):
    """The keys of users, from the list of users."""

    rows = "keys"

    def summary(self) -> str:
        """Return the sentence of the help."""
        return _("List the access keys of the account's users.")

    def finish(self, asked: Asked, result: Any) -> Any:
        """Take the keys out of the users."""
        del asked
        found: list[dict[str, Any]] = []
        for user in result["users"]:
            for key in user.get("accessKeys") or ():
                of_user = {"userId": user["userId"], "userName": user["name"]}
                found.append({"accessKeyId": key["accessKeyId"], "status": key["status"], **of_user, **key})
        return {"keys": found}
