"""What the explanation of an instance looks like."""

from __future__ import annotations

from typing import Literal

from leasebook.contract.nouns.event import CloudEvent
from leasebook.contract.nouns.instance import Id, Request, Shape


class ExplainComputeUnitRequest(Request, kw_only=True):
    """Ask why an instance is alive, what ends it, and what it costs."""

    instance_id: Id


class Attempt(Shape, kw_only=True):
    """A call that named the instance and was refused: by whom, when, and which rule said no."""

    time: str
    request_id: str
    user_id: str | None = None
    action: str
    code: str
    message: str | None = None


class Explanation(Shape, kw_only=True):
    """Why an instance is alive, what ends it and when, what it cost and will have cost by the end of the month.

    ``text`` says the same to people. ``events`` are what happened to it and ``attempts`` what was tried in vain, newest
    first, at most a hundred and at most twenty.
    """

    instance_id: str
    alive: bool
    text: str
    ends_time: str | None = None
    ends_by: Literal["schedule", "expiry", "arrears", "retention"] | None = None
    cost: str
    month_end_cost: str
    currency: str
    events: list[CloudEvent]
    attempts: list[Attempt]
