"""The state of a service when a test begins: stock, money, and calls that a file lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from leasebook.client import Client
from leasebook.testing.account import AccountInTest
from leasebook.testing.errors import KitError
from leasebook.testing.raw import call


class SeedCall(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A call: who makes it, the path, the action, and its body."""

    who: Literal["operator", "account"] = msgspec.field(name="as", default="operator")
    path: str
    action: str
    body: dict[str, Any] = {}


class SeedFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of a seed file: free units by type, the account's balance, and calls that are made after that."""

    stock: dict[str, Annotated[int, msgspec.Meta(ge=0)]] = {}
    balance: Decimal = Decimal(0)
    calls: list[SeedCall] = []


class Seed(msgspec.Struct, frozen=True):
    """A seed as JSON, so that two of them can be compared."""

    content: bytes

    def plant(self, operator: Client, account: AccountInTest, given: Callable[..., Any]) -> None:
        """Bring the state about. Raises KitError, which names the call that the service refused."""
        found = msgspec.json.decode(self.content, type=SeedFile)
        given(stock=found.stock, balance=found.balance, account=account)
        for number, one in enumerate(found.calls, 1):
            client = operator if one.who == "operator" else account.client
            try:
                call(client, one.path, one.action, one.body)
            except Exception as error:
                raise KitError(f"Call {number} of the seed, {one.path} {one.action}, failed: {error}") from error


def read_seed(file: Path | str | None, stock: Mapping[str, int] | None, balance: Decimal | float | str | None) -> Seed:
    """Read a seed file; ``stock`` and ``balance`` of the test go before those of the file. Raises KitError."""
    try:
        content = b"{}" if file is None else Path(file).read_bytes()
        seed = msgspec.json.decode(content, type=SeedFile)
    except OSError as error:
        raise KitError(f"The seed file {file} cannot be read: {error.strerror}.") from None
    except msgspec.MsgspecError as error:
        raise KitError(
            f"The seed file {file} is no seed: {error}. It is JSON with the keys stock, balance and calls."
        ) from None
    if stock is not None:
        seed = msgspec.structs.replace(seed, stock={**seed.stock, **stock})
    if balance is not None:
        seed = msgspec.structs.replace(seed, balance=Decimal(str(balance)))
    return Seed(msgspec.json.encode(seed))
