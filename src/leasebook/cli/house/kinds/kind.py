"""The interface of a kind of thing in an account, and the account as the kinds see it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from leasebook.cli.house.plan import Plan, Run
from leasebook.cli.house.reading import Node
from leasebook.cli.house.secrets_file import Asked
from leasebook.cli.house.server import Server


@dataclass
class Place:
    """An account of the file, and the account of the service that it is; ``account`` None: it is not there yet.

    ``wanted`` and ``there`` have what the file wants and what there is, by the kinds' keys. ``maker`` is the user whose
    key the command has.
    """

    label: str
    account: Mapping[str, Any] | None
    wanted: Mapping[str, Any] = field(default_factory=dict)
    there: dict[str, Any] = field(default_factory=dict)
    maker: str = ""

    @property
    def is_there(self) -> bool:
        """Whether the service has the account."""
        return self.account is not None

    def account_id(self, run: Run) -> str:
        """Return the account's id, which a run may have made."""
        return str(self.account["accountId"]) if self.account is not None else run.ids["account", self.label]


class AccountKind(ABC):
    """A kind of thing of an account. One object of each class is in the table."""

    key: ClassVar[str]
    """The key of the file, and of ``Place.wanted`` and ``Place.there``."""

    @abstractmethod
    def read(self, node: Node) -> Any:
        """Return what the file wants; raises BadHouse."""

    @abstractmethod
    def look(self, server: Server, account_id: str) -> Any:
        """Return what an account has."""

    @abstractmethod
    def absent(self) -> Any:
        """Return what an account has that is not there yet."""

    @abstractmethod
    def plan(self, place: Place, plan: Plan) -> None:
        """Add the steps that make an account what the file wants."""

    def prune(self, place: Place, plan: Plan, server: Server) -> None:
        """Add the steps that end what the caller made and the file does not have. Most kinds end nothing."""
        del place, plan, server

    def left(self, place: Place) -> list[str]:
        """Return the things that the file does not have."""
        del place
        return []

    def unfetched(self, place: Place, asked: Asked) -> bool:
        """Whether an account has a thing of this kind whose secret was asked for, and did not arrive."""
        del place, asked
        return False

    @abstractmethod
    def write(self, place: Place) -> Any:
        """Return what the file says of an account, as plain values; None: nothing."""
