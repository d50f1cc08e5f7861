"""The parts that the pages of the console work with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol

import msgspec

from leasebook.api.audit_record import Addresses
from leasebook.api.body.budget import Bodies
from leasebook.api.context import Context
from leasebook.api.health import Health
from leasebook.api.inside.calls import InsideCalls
from leasebook.api.responses import Meter
from leasebook.console.calendar.kept import KeptCalendars
from leasebook.console.factor.second_factors import SecondFactors
from leasebook.console.frame.kept import KeptAnswers
from leasebook.console.session.attempts import Attempts
from leasebook.console.session.passwords import Passwords
from leasebook.console.session.sessions import Sessions
from leasebook.gateway.chat.inside import InsideAnswer, InsideRequest

BASE: Final = "/console"


class SignInMeter(Protocol):
    """Where attempts to sign in are counted."""

    def signed_in(self, how: str, outcome: str) -> None:
        """Count an attempt to sign in."""


class Services(Protocol):
    """Passes calls of services on to replicas."""

    async def ask(self, request: InsideRequest) -> InsideAnswer:
        """Call a service for a signed-in user; returns the answer once it has begun. Close it."""
        ...


class SignInWay(NamedTuple):
    """Another way to sign in, as a button on the page: its text, and its address under the console's."""

    text: str
    address: str


class Parts(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The parts that pages use. They are complete when they are made, and do not change."""

    calls: InsideCalls
    services: Services
    sessions: Sessions
    passwords: Passwords
    factors: SecondFactors
    attempts: Attempts
    context: Context
    health: Health
    meter: Meter
    sign_ins: SignInMeter
    addresses: Addresses
    bodies: Bodies
    """The memory for the bodies of all calls; large forms take a part of it."""
    path_prefix: str
    is_public_https: bool
    """Whether the service's public address is one with TLS, so that browsers may send cookies with it only."""
    kept: KeptAnswers = msgspec.field(default_factory=KeptAnswers)
    calendars: KeptCalendars = msgspec.field(default_factory=KeptCalendars)
    ways: Sequence[SignInWay] = ()
    signed_out: Mapping[str, str] = {}
    """The page that a browser comes to when a session has ended, by how it was begun; the others come to the first."""

    @property
    def base(self) -> str:
        """The path of the console, with the prefix."""
        return self.path_prefix + BASE
