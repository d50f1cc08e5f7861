"""The plan of a run, step by step, and the state that the steps share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from leasebook.cli.house import words
from leasebook.cli.house.secrets_file import Asked, SecretsFile, stamp
from leasebook.cli.house.server import BUSY, Making, Refused, Server, make_once
from leasebook.cli.terminal.texts import _

MAKE: Final = "+"
CHANGE: Final = "~"
END: Final = "-"
LEFT_SHOWN: Final = 20
"""How many things that stay are named in a plan."""


class Run:
    """A run of the steps: the service, the file of secrets, and the ids of what was made on the way."""

    def __init__(self, server: Server, house: str, maker: str, secrets: SecretsFile | None) -> None:
        self.server = server
        self._maker = maker
        self.house = house
        self._secrets = secrets
        self.ids: dict[tuple[str, ...], str] = {}
        """Ids by names: ``("account", label)``, ``("user", account, label)``, ``("project", account, label)``."""

    def make(self, making: Making, *parts: str) -> dict[str, Any]:
        """Make a thing that has no secret, once; ``parts`` name it."""

        def make(token: str) -> dict[str, Any]:
            return dict(self.server.call(making.path, making.action, **making.body, clientToken=token))

        return make_once(making, make, (self.house, *parts), self.server.now)

    def make_secret(self, of: str, making: Making, *parts: str) -> dict[str, Any]:
        """Make a thing with a secret, once; the secret goes to the file and nowhere else. ``of`` is the thing."""

        def make(token: str) -> dict[str, Any]:
            body = {**making.body, "clientToken": token}
            asked = Asked(
                of, self._maker, making.path, making.action, body, sorted(making.known), stamp(self.server.now())
            )
            self.secrets.asking(asked)
            try:
                made = dict(self.server.call(making.path, making.action, **body))
            except Refused as refused:
                if refused.code not in BUSY:
                    self.secrets.given_up(asked)
                raise
            if making.is_old(made):
                self.secrets.given_up(asked)
            else:
                self._keep(asked, made)
            return made

        return make_once(making, make, (self.house, *parts), self.server.now)

    def fetch_secret(self, asked: Asked) -> None:
        """Repeat a call of an earlier run for its secret, unless another run did so meanwhile."""
        if all(one.token != asked.token for one in self.secrets.open_calls()):
            return
        try:
            self._keep(asked, dict(self.server.call(asked.path, asked.action, **asked.body)))
        except Refused as refused:
            if refused.code not in BUSY:
                self.secrets.given_up(asked)
            raise

    def _keep(self, asked: Asked, made: dict[str, Any]) -> None:
        """Write what a person needs to use the secret."""
        names = ("accountId", "userId", "accessKeyId", "secretAccessKey", "subscriptionId", "secret")
        if made.get("secretAccessKey") is None and made.get("secret") is None:
            self.secrets.given_up(asked)
        else:
            self.secrets.answered(asked, {name: made[name] for name in names if made.get(name) is not None})

    @property
    def secrets(self) -> SecretsFile:
        """The file of secrets, which is open wherever a plan makes one."""
        if self._secrets is None:
            raise AssertionError
        return self._secrets


@dataclass(frozen=True)
class Step:
    """One change: its sign, the thing, what changes about it, and the calls that do it."""

    sign: str
    thing: str
    do: Callable[[Run], None]
    details: tuple[str, ...] = ()
    makes_secret: bool = False


@dataclass
class Plan:
    """The steps, and what a person should know besides. ``maker`` is the id of the user whose key the command has."""

    maker: str
    steps: list[Step] = field(default_factory=list)
    ends: list[Step] = field(default_factory=list)
    """Steps that end something; they come last, and only with ``--prune``."""
    left: list[str] = field(default_factory=list)
    """Things that the file does not have, and that stay."""
    hindered: list[str] = field(default_factory=list)
    """Things that ``--prune`` is to end and cannot, with the reasons."""
    problems: list[str] = field(default_factory=list)
    """Reasons why nothing is done at all."""
    unchanged: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.steps and not self.ends

    @property
    def makes_secrets(self) -> bool:
        """Whether a secret is made or fetched."""
        return any(step.makes_secret for step in self.steps)

    def add(self, steps: list[Step]) -> None:
        """Add the steps of one thing; none: it is as the file says."""
        self.steps += steps
        self.unchanged += not steps

    def shown(self) -> list[str]:
        """Write the steps, a line for each thing and for each change."""
        lines: list[str] = []
        for step in (*self.steps, *self.ends):
            lines.append(f"{step.sign} {step.thing}")
            lines += [f"    {detail}" for detail in step.details]
        lines += [words.left(one) for one in (*self.hindered, *self.left[:LEFT_SHOWN])]
        if len(self.left) > LEFT_SHOWN:
            lines.append(words.more_left(len(self.left) - LEFT_SHOWN))
        signs = [step.sign for step in (*self.steps, *self.ends)]
        lines.append(words.summary(signs.count(MAKE), signs.count(CHANGE), signs.count(END), self.unchanged))
        return lines


def change(name: str, before: object, after: object) -> str:
    """Write one change of a plan."""
    return words.changed(name, _shown(before), _shown(after))


def _shown(value: object) -> str:
    if value is None:
        return _(words.NOTHING)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_shown(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return str(value)
