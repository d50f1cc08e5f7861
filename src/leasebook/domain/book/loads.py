"""The needs of a command: the rows, sets of rows and counts that the store must load before the command is decided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from leasebook.domain.book.store_queries import Asked
from leasebook.domain.book.tables import Key, Table
from leasebook.domain.model.resource.tag_budget import written_tags
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro


class OfferingsOfType(msgspec.Struct, frozen=True):
    """Need every offering of one type, whatever the region."""

    type: str


class SuspendedInstances(msgspec.Struct, frozen=True):
    """Need an account's suspended instances (``Instance.is_halted``), at most ``SUSPENDED_MAX`` of them.

    Also up to ``SUSPENDED_MAX`` instances whose renewal waits for money (``Instance.awaits_renewal``), the oldest
    first. The account is given by its id, or by one of its instances.
    """

    account_id: str | None = None
    unit_id: str | None = None


SUSPENDED_MAX = 500


class UsageTotals(msgspec.Struct, frozen=True):
    """Need the sums that an account's limits begin with: units held, and money charged since (``Usage``).

    ``since`` is the beginning of a month on the account's clocks. ``by_tags``: also what was charged by tags.
    """

    account_id: str
    since: Instant
    by_tags: bool = False


class Usage(msgspec.Struct):
    """The holdings and charges of an account: units by user and type, charges by user, and the same by project.

    The default project is not among the projects: the rest belongs to it. ``by_tags`` has the charges by the tags that
    instances had when they were charged, each as JSON in the order of the keys; None: no command asked for them.
    """

    units: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)
    spent: dict[str, Micro] = msgspec.field(default_factory=dict)
    project_units: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)
    project_spent: dict[str, Micro] = msgspec.field(default_factory=dict)
    by_tags: dict[str, int] | None = None

    def add_units(self, field: Literal["units", "project_units"], of: str, unit_type: str, added: int) -> None:
        """Add to the units of a user or a project; a type or an owner with no units has no entry."""
        units: dict[str, dict[str, int]] = getattr(self, field)
        types = units.pop(of, {})
        count = types.pop(unit_type, 0) + added
        if count:
            types[unit_type] = count
        if types:
            units[of] = types

    def add_spent(self, user_id: str, project_id: str | None, amount: int) -> None:
        """Add to the charges of a user and a project."""
        self.spent[user_id] = Micro(self.spent.get(user_id, 0) + amount)
        if project_id is not None:
            self.project_spent[project_id] = Micro(self.project_spent.get(project_id, 0) + amount)

    def add_tags(self, tags: Mapping[str, str], amount: int) -> None:
        """Add to the charges by tags, if they were asked for."""
        if self.by_tags is not None:
            text = written_tags(dict(sorted(tags.items()))).decode()
            self.by_tags[text] = self.by_tags.get(text, 0) + amount


class ChargedTags(msgspec.Struct, frozen=True):
    """Need the tags of instances, for charges since a moment: those of now, and those that they had since then.

    The instances are locked already, and each change of their tags locks them first.
    """

    unit_ids: tuple[str, ...]
    since: Instant


class KeysOfUser(msgspec.Struct, frozen=True):
    """Need every access key of a user. The user's row is needed as well: commands that make keys lock it."""

    user_id: str


class WholeAccount(msgspec.Struct, frozen=True):
    """Need all that may keep an account from being closed, and all that ends with it.

    These are its users, its active access keys, service keys and subscriptions, its packages that have a rest, and its
    requests that wait for an approval, all as rows, and its live things, as counts (``whole_account.Living``). The
    account's row is needed as well: every command that adds one of these locks it.
    """

    account_id: str


Need = tuple[Table[Any], Key]
"""A row that a command reads or writes. It need not exist."""

Needed = Need | OfferingsOfType | SuspendedInstances | UsageTotals | KeysOfUser | WholeAccount | ChargedTags | Asked


class NotLoaded(LookupError):
    """A command touched a row that it did not name as needed: a mistake in the command."""
