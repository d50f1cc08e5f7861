"""The ends of units: to release them now, to move their release time, and to have none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

from leasebook.cli.commands.actions import action_of
from leasebook.cli.commands.calling.waiting import RELEASED, wait_for, wait_options
from leasebook.cli.commands.generated.kind import Asked, Kind
from leasebook.cli.commands.generated.times import is_relative, span_of, time_of
from leasebook.cli.commands.language import _
from leasebook.cli.commands.spending.asking import agreed, yes_option
from leasebook.contract.parameters.fields import Field

OTHER_FIELDS = frozenset({"serviceId", "instanceType", "autoRenewTimeUnit", "autoRenewTime", "releaseTime"})


class Extend(Kind):
    """Move a release time to a later one."""

    hidden = OTHER_FIELDS

    def summary(self) -> str:
        """Return the sentence of the help."""
        return _("Let a postpaid instance live longer: by a span after its release time, or until a time.")

    def parameters(self) -> list[click.Parameter]:
        """Return ``--by`` and ``--until``."""
        return [
            click.Option(["--by"], metavar="SPAN", help=_("How much longer: 8h, 90min, 1d12h.")),
            click.Option(["--until"], metavar="TIME", help=_("Until when: 'tomorrow 18:00', +8h, 2026-12-01 18:00.")),
        ]

    def prepare(self, asked: Asked) -> None:
        """Set the new release time. Raises UsageError."""
        by, until = asked.given["by"], asked.given["until"]
        if (by is None) == (until is None):
            raise click.UsageError(_("Give one of --by and --until."))
        if until is not None:
            now = asked.session.now() if is_relative(until) else None
            asked.body["releaseTime"] = time_of(until, now)
            return
        span = span_of(by)
        show = action_of("describe_unit", "instance")
        names: dict[str, Any] = {name: asked.body[name] for name in ("instanceId", "accountId") if name in asked.body}
        unit = asked.session.call(show, names)["computeUnitInstance"]
        before = unit.get("releaseTime")
        if before is None:
            raise click.UsageError(
                _("{unit} has no release time that could be moved; give one with --until.").format(
                    unit=asked.body["instanceId"]
                )
            )
        asked.body["releaseTime"] = (datetime.fromisoformat(before) + span).isoformat()

    def finish(self, asked: Asked, result: Any) -> Any:
        """Show until when it lives now, where people read it."""
        return (
            {"instanceId": asked.body["instanceId"], "releaseTime": asked.body["releaseTime"]}
            if result is True
            else result
        )


class Keep(Kind):
    """Clear a release time."""

    hidden = OTHER_FIELDS

    def summary(self) -> str:
        """Return the sentence of the help."""
        return _("Clear the release time of a postpaid instance: it lives until you release it.")


class Schedule(Kind):
    """Set a release time, which comes after the instance."""

    hidden = OTHER_FIELDS - {"releaseTime"}

    def positional(self, fields: Sequence[Field]) -> tuple[Field, ...]:
        """Return the instance and the time."""
        return tuple(one for one in fields if one.path[0] in {"instanceId", "releaseTime"})

    def summary(self) -> str:
        """Return the sentence of the help."""
        return _("Set or move the release time of a postpaid instance; without a time it is cleared.")


class Ending(Kind):
    """A command that ends something for good: it asks first."""

    def question(self, asked: Asked) -> str:
        """Return the question."""
        named = " ".join(
            str(value) for name, value in asked.body.items() if name.endswith("Id") and name != "accountId"
        )
        return _("This cannot be undone: {command} {named}. Go on?").format(command=asked.command, named=named)

    def parameters(self) -> list[click.Parameter]:
        """Return ``--yes``."""
        return [yes_option()]

    def goes_on(self, asked: Asked) -> bool:
        """Ask, where ``--yes`` does not say it."""
        return agreed(self.question(asked), yes=asked.given["yes"])


class Release(Ending):
    """Release an instance, and wait until its units are back where that is asked for."""

    def parameters(self) -> list[click.Parameter]:
        """Return ``--yes`` and ``--wait``."""
        return [yes_option(), *wait_options(_("Wait until the instance is released."))]

    def question(self, asked: Asked) -> str:
        """Return the question."""
        return _("Release {unit}? Its replicas end, and its bill.").format(unit=asked.body["instanceId"])

    def finish(self, asked: Asked, result: Any) -> Any:
        """Wait."""
        if not asked.given["wait"]:
            return result
        return wait_for(asked, asked.body["instanceId"], RELEASED)
