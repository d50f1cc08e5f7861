"""The clock of instances and bills."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract.action import CLOCK, read, write
from leasebook.contract.shapes import Empty, Request, Shape


class ClockDetail(Shape, kw_only=True):
    """The time that instances and bills go by, and the clock that gives it."""

    now: Annotated[str, Meta(description="The present moment on that clock.")]
    mode: Annotated[
        Literal["real", "virtual"],
        Meta(description="real: the machine's clock. virtual: a clock that only AdvanceClock moves."),
    ]
    held: Annotated[
        bool, Meta(description="True while a jump of the machine's clock holds due work; left out otherwise.")
    ] = False
    reason: Annotated[str | None, Meta(description="Why due work is held, and what ends that.")] = None


class AdvanceClockRequest(Request, kw_only=True):
    """Move the virtual clock forward and do everything that falls due on the way."""

    to: Annotated[
        str, Meta(max_length=64, description="The new time: RFC 3339, or YYYY-MM-DD HH:MM:SS in the service's zone.")
    ]


ACTIONS: Final = (
    read(
        CLOCK,
        "DescribeClock",
        "describe_clock",
        Empty,
        ClockDetail,
        "Tell what time it is for units and bills.",
        own_only="All accounts have the same clock.",
        policies=p.ANYBODY,
        example={},
        answer={"now": "2026-11-30T07:18:45+08:00", "mode": "virtual"},
    ),
    write(
        CLOCK,
        "AdvanceClock",
        "advance_clock",
        AdvanceClockRequest,
        ClockDetail,
        "Move the virtual clock forward and do everything that falls due on the way.",
        policies=p.OPERATORS,
        errors=(e.OPERATION_NOT_SUPPORTED,),
        example={"to": "2030-01-15T09:30:00+08:00"},
        answer={"now": "2030-01-15T09:30:00+08:00", "mode": "virtual"},
    ),
    write(
        CLOCK,
        "ConfirmClock",
        "confirm_clock",
        Empty,
        ClockDetail,
        "Confirm that the clock is right after it jumped, so that held releases go on.",
        policies=p.OPERATORS,
        example={},
        answer={"now": "2026-11-30T07:18:45+08:00", "mode": "virtual"},
    ),
)
