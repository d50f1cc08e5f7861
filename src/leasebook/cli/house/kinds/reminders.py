"""How long before a release or an expiry an account is reminded."""

from __future__ import annotations

from dataclasses import dataclass

from leasebook.cli.house import schema, words
from leasebook.cli.house.kinds.kind import AccountKind, Place
from leasebook.cli.house.plan import CHANGE, Plan, Run, Step, change
from leasebook.cli.house.reading import Node
from leasebook.cli.house.server import ACCOUNT, Server
from leasebook.contract.nouns.event import SetRemindersRequest


@dataclass(frozen=True)
class RemindersWanted:
    """The times of the file, in seconds, the earliest first."""

    before: tuple[int, ...]


class Reminders(AccountKind):
    """The reminders of an account."""

    key = "reminders"

    def read(self, node: Node) -> RemindersWanted:
        """Read ``reminders``: a list of spans such as ``[1d, 1h]``."""
        before = _in_order(schema.many(schema.span)(node))
        schema.fitting(SetRemindersRequest, {"beforeSeconds": list(before)}, node.line, {"beforeSeconds": self.key})
        return RemindersWanted(before)

    def look(self, server: Server, account_id: str) -> tuple[int, ...] | None:
        """Return the times in seconds."""
        return _in_order(server.call(ACCOUNT, "DescribeReminders", accountId=account_id)["beforeSeconds"])

    def absent(self) -> tuple[int, ...] | None:
        """Return None: a new account begins with a setting of the service."""
        return None

    def plan(self, place: Place, plan: Plan) -> None:
        """Add a step if the times differ."""
        wanted: RemindersWanted = place.wanted[self.key]
        there: tuple[int, ...] | None = place.there[self.key]

        def do(run: Run) -> None:
            account_id = place.account_id(run)
            run.server.call(ACCOUNT, "SetReminders", accountId=account_id, beforeSeconds=list(wanted.before))

        detail = change(self.key, None if there is None else _texts(there), _texts(wanted.before))
        same = there == wanted.before
        plan.add([] if same else [Step(CHANGE, words.reminders(place.label), do, (detail,))])

    def write(self, place: Place) -> list[str]:
        """Write the times."""
        return _texts(place.there[self.key])


def _in_order(seconds: list[int]) -> tuple[int, ...]:
    return tuple(sorted(set(seconds), reverse=True))


def _texts(seconds: tuple[int, ...]) -> list[str]:
    return [schema.span_text(one) for one in seconds]
