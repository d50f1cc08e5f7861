"""The menu: a line for each page in it, in order."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

from leasebook.contract.action import ACCOUNT, MODEL, SERVICE, UNITS


class Permits(Protocol):
    """Says what a user may do."""

    def can(self, path: str, action: str) -> bool:
        """Whether the user's policies permit an action."""
        ...

    def can_across(self, path: str, action: str) -> bool:
        """Whether the user's policies permit an action in other accounts."""
        ...


class Entry(NamedTuple):
    """A line of the menu: its text, its address under the console's, and the action that its reader may do."""

    text: str
    address: str
    action: tuple[str, str] | None = None
    across: bool = False

    def is_for(self, permits: Permits) -> bool:
        """Whether the user may see the page."""
        if self.action is None:
            return True
        return permits.can_across(*self.action) if self.across else permits.can(*self.action)


def marked(text: str) -> str:
    """Mark a text that the template translates."""
    return text


MENU: Final = (
    Entry(marked("Overview"), "/"),
    Entry(marked("Units"), "/units", (UNITS, "DescribeComputeUnits")),
    Entry(marked("Buy"), "/buy", (UNITS, "PurchaseComputeUnit")),
    Entry(marked("Services"), "/services", (SERVICE, "DescribeServices")),
    Entry(marked("Models"), "/models", (MODEL, "DescribeModel")),
    Entry(marked("Money"), "/money", (ACCOUNT, "DescribeCosts")),
    Entry(marked("Administration"), "/admin"),
    Entry(marked("API"), "/reference"),
)
"""Appended by each folder of pages, in the order in which people read it."""
