"""An account of a test: its keys, a client with them, its bill, and the stories of its instances."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from leasebook.client import Client, LeasebookError
from leasebook.client.shapes.account import Statement
from leasebook.client.shapes.instance import Explanation
from leasebook.testing.environment import variables
from leasebook.testing.raw import call


class AccountInTest:
    """An account on the kit's service, with the keys of its root user, who may do everything in it."""

    def __init__(
        self, url: str, account_id: str, access_key: str, secret_key: str, client: Callable[[str, str], Client]
    ) -> None:
        """``client`` returns the client for an access key and its secret; the kit closes it."""
        self.url = url
        self.account_id = account_id
        self.access_key = access_key
        self.secret_key = secret_key
        self._client = client

    def __repr__(self) -> str:
        return f"AccountInTest(account_id={self.account_id!r}, access_key={self.access_key!r})"

    @property
    def client(self) -> Client:
        """A client of this account; its methods are those of ``leasebook.client.Client``."""
        return self._client(self.access_key, self.secret_key)

    def environment(self) -> dict[str, str]:
        """Return the variables with which the official clients call as this account, for a process that you start."""
        return variables(self.url, self.access_key, self.secret_key)

    def call(self, path: str, action: str, body: Mapping[str, Any] | None = None) -> Any:
        """Call any action as it is on the wire, once; returns its result as JSON values. Raises the client's errors."""
        return call(self.client, path, action, body or {})

    def buy(self, unit_type: str, count: int = 1, *, region: str = "", **more: Any) -> str:
        """Buy units, by the minute unless ``billing`` says otherwise; returns the id of the instance.

        ``more`` are the other parameters of ``Client.purchase_units``. Raises the client's errors.
        """
        wanted: dict[str, Any] = {
            "billing": {"paymentTiming": "Postpaid"},
            "compute_unit_config": {"type": unit_type, "region": region},
            "compute_unit_count": count,
            **more,
        }
        return self.client.purchase_units(**wanted).instance_id

    def bill(self, month: str | None = None) -> Statement:
        """Return the statement of a month (``2030-01``); None: the month that the virtual clock shows."""
        client = self.client
        return client.describe_statement(month=month or client.describe_account().month)

    def story(self, instance_id: str) -> str:
        """Return the whole life of an instance in lines: why it is alive, its events, and its refused calls."""
        return in_lines(self.client.explain_unit(instance_id=instance_id))

    def stories(self) -> str:
        """Return the stories of all instances of the account, the released ones last; for a test that fails."""
        try:
            shown = [*self.client.each_of_units(), *self.client.each_of_units(status="Released")]
            return "\n\n".join(self.story(unit.instance_id) for unit in shown)
        except LeasebookError as error:
            return f"The stories cannot be read: {error}"


def in_lines(found: Explanation) -> str:
    """Return an explanation in lines."""
    lines = [found.instance_id, *(f"  {line}" for line in found.text.splitlines())]
    for event in reversed(found.events):
        changed = ", ".join(f"{name}={value}" for name, value in event.data.items())
        lines.append(f"  {event.time.isoformat()}  {event.type}  {changed}")
    lines += [
        f"  {tried.time.isoformat()}  refused {tried.action}: {tried.code} {tried.message or ''}".rstrip()
        for tried in reversed(found.attempts)
    ]
    return "\n".join(lines)
