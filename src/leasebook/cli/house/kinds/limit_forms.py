"""The forms of limits: each with its key of the file, its field of SetGuardRails, and how both write its value.

A value in hand is plain: by the keys of the file, amounts as decimals, spans in seconds, and without what limits
nothing. ``Forms`` below name every field that SetGuardRails takes; a test compares them with the contract.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

from leasebook.cli.house import schema
from leasebook.cli.house.reading import Node


class Form(ABC):
    """How a value is read, compared, sent and written."""

    @abstractmethod
    def read(self, node: Node) -> Any:
        """Read a value of the file; None: it limits nothing. Raises BadHouse."""

    @abstractmethod
    def received(self, value: Any) -> Any:
        """Return the plain value of one that the service sent; None: it limits nothing."""

    @abstractmethod
    def sent(self, value: Any) -> Any:
        """Return a plain value as requests have it."""

    @abstractmethod
    def change(self, before: Any, after: Any) -> Any:
        """Return the change from one plain value to another as requests have it; null clears."""

    @abstractmethod
    def written(self, value: Any, *, quoted: bool = True) -> Any:
        """Return a plain value as files have it. Without ``quoted`` numbers stay numbers, for a plan."""


@dataclass(frozen=True)
class Leaf(Form):
    """One value. ``none`` is the value that means the same as no limit."""

    parser: schema.Parser[Any]
    kind: Literal["plain", "money", "span", "percents"] = "plain"
    none: Any = None

    def read(self, node: Node) -> Any:
        """Read a value."""
        return self.received(self.parser(node))

    def received(self, value: Any) -> Any:
        """Return the plain value."""
        if self.kind == "money":
            return Decimal(str(value))
        if self.kind == "percents":
            return sorted(set(value)) or None
        return None if value == self.none else value

    def sent(self, value: Any) -> Any:
        """Amounts are texts."""
        return str(value) if isinstance(value, Decimal) else value

    def change(self, before: Any, after: Any) -> Any:
        """A value replaces another."""
        del before
        return None if after is None else self.sent(after)

    def written(self, value: Any, *, quoted: bool = True) -> Any:
        """Write it as ``parser`` reads it."""
        if self.kind == "span" and value is not None:
            return schema.span_text(value)
        return f"{value:f}" if quoted and isinstance(value, Decimal) else value


@dataclass(frozen=True)
class Fields(Form):
    """A table whose keys are known: each with its field of the request. ``whole``: it is set as a whole."""

    fields: Mapping[str, tuple[str, Form]]
    whole: bool = False

    def read(self, node: Node) -> Any:
        """Read a table."""
        return _some(schema.fields(node, {key: form.read for key, (_, form) in self.fields.items()}))

    def received(self, value: Any) -> Any:
        """Return those of the fields that limit something."""
        return _some({key: form.received(value[name]) for key, (name, form) in self.fields.items() if name in value})

    def sent(self, value: Any) -> Any:
        """Return all of its fields."""
        return {name: form.sent(value[key]) for key, (name, form) in self.fields.items() if key in value}

    def change(self, before: Any, after: Any) -> Any:
        """Return the fields that differ, or all of them where it is set as a whole."""
        if not after:
            return None
        if self.whole:
            return self.sent(after)
        was = before or {}
        return {
            name: form.change(was.get(key), after.get(key))
            for key, (name, form) in self.fields.items()
            if was.get(key) != after.get(key)
        }

    def written(self, value: Any, *, quoted: bool = True) -> Any:
        """Write each of its fields."""
        if value is None:
            return None
        return {key: form.written(value[key], quoted=quoted) for key, (_, form) in self.fields.items() if key in value}


@dataclass(frozen=True)
class ByKey(Form):
    """A table whose keys the writer chooses."""

    of: Form

    def read(self, node: Node) -> Any:
        """Read a table."""
        return _some(schema.by_key(self.of.read)(node))

    def received(self, value: Any) -> Any:
        """Return those of the entries that limit something."""
        return _some({key: self.of.received(one) for key, one in value.items()})

    def sent(self, value: Any) -> Any:
        """Return all of its entries."""
        return {key: self.of.sent(one) for key, one in value.items()}

    def change(self, before: Any, after: Any) -> Any:
        """Return the entries that differ, with null for those that are gone."""
        if not after:
            return None
        was = before or {}
        gone = dict.fromkeys(key for key in was if key not in after)
        return gone | {key: self.of.change(was.get(key), one) for key, one in after.items() if was.get(key) != one}

    def written(self, value: Any, *, quoted: bool = True) -> Any:
        """Write each of its entries."""
        return None if value is None else {key: self.of.written(one, quoted=quoted) for key, one in value.items()}


def _some(found: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what limits something; None: nothing does."""
    return {key: value for key, value in found.items() if value is not None} or None


_COUNT: Final = Leaf(schema.count)
_MONEY: Final = Leaf(schema.amount, "money")
_SPAN: Final = Leaf(schema.span, "span")
_TRUTH: Final = Leaf(schema.truth, none=False)
_UNITS: Final = ByKey(_COUNT)
_BUDGET: Final[dict[str, tuple[str, Form]]] = {
    "budget": ("budget", _MONEY),
    "budgetWarnPercent": ("budgetWarnPercent", Leaf(schema.many(schema.count), "percents")),
    "budgetRefusePercent": ("budgetRefusePercent", _COUNT),
}
_RELEASE: Final[dict[str, tuple[str, Form]]] = {
    "releaseMax": ("releaseMaxSeconds", _SPAN),
    "releaseDefault": ("releaseDefaultSeconds", _SPAN),
    "endRequired": ("endRequired", _TRUTH),
}
_APPROVAL: Final = Fields(
    {
        "units": ("units", _UNITS),
        "cost": ("cost", _MONEY),
        "release": ("releaseSeconds", _SPAN),
        "months": ("months", _COUNT),
        "lapse": ("lapseSeconds", _SPAN),
        "selfApproval": ("selfApproval", _TRUTH),
    },
    whole=True,
)
_PROJECT: Final = Fields({"units": ("units", _UNITS), "spend": ("spend", _MONEY), **_BUDGET, **_RELEASE})
LIMITS: Final = Fields(
    {
        "units": ("units", _UNITS),
        "userUnits": ("userUnits", ByKey(_UNITS)),
        "spend": ("spend", _MONEY),
        "userSpend": ("userSpend", ByKey(_MONEY)),
        **_BUDGET,
        **_RELEASE,
        "extendBy": ("extendBy", Leaf(schema.one_of("anybody", "buyer", "managers"), none="anybody")),
        "extensionsMax": ("extensionsMax", _COUNT),
        "needsApproval": ("needsApproval", _APPROVAL),
        "userNeedsApproval": ("userNeedsApproval", ByKey(_APPROVAL)),
        "projects": ("projects", ByKey(_PROJECT)),
        "tags": ("tags", ByKey(ByKey(Fields(_BUDGET, whole=True)))),
    }
)
"""All limits."""
BY_USER: Final = frozenset({"userUnits", "userSpend", "userNeedsApproval"})
"""The limits whose entries are of users, and those of projects: the file has their names, and requests their ids."""
BY_PROJECT: Final = frozenset({"projects"})
