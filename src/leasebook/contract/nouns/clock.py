"""The clock of instances and bills."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract.action import CLOCK, read, write
from leasebook.contract.shapes import Empty, Request, Shape

DueKindName = Literal["renew", "release", "expire", "retire", "charge", "stop", "resume", "remind", "approval"]


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


class DueKindWork(Shape, kw_only=True):
    """Due work of one kind. Of releases all count, of other kinds the instances whose first due work is of the kind."""

    kind: Annotated[DueKindName, Meta(description="The kind, as in the metric leasebook_due_done_total.")]
    overdue: Annotated[int, Meta(description="How many instances, or requests, have it due now, at all servers.")]
    oldest_time: Annotated[
        str | None, Meta(description="Since when the oldest of them is due; left out where none is.")
    ] = None
    late_seconds: Annotated[int, Meta(description="For how many seconds the oldest has been due; 0 where none is.")]
    due_within_hour: Annotated[int, Meta(description="How many have it due in the next hour.")]
    done: Annotated[int, Meta(description="How many pieces the answering server has done since it started.")]


class LatenessCount(Shape, kw_only=True):
    """Releases that were late by more than the bound before and up to this one."""

    up_to_seconds: Annotated[float | None, Meta(description="The bound; null: no bound.")]
    releases: Annotated[int, Meta(description="How many releases the answering server did so late since it started.")]


class SeenServer(Shape, kw_only=True):
    """A server, or a worker without an API, that does due work on the store."""

    server_id: Annotated[str, Meta(description="Its id, new at each start.")]
    node: Annotated[str, Meta(description="The machine that it runs on.")]
    start_time: Annotated[str, Meta(description="When it started, on its machine's clock.")]
    engines: Annotated[list[str], Meta(description="The engines that it works with.")]
    is_answering: Annotated[bool, Meta(description="Whether it is the server that answers.")]
    silent_seconds: Annotated[
        int | None,
        Meta(
            description=(
                "For how many seconds the answering server has not seen it say that it lives, which each does every "
                "few seconds; null: it has only just looked. Ask again to know."
            )
        ),
    ]


class DueWorkReport(Shape, kw_only=True):
    """How releases and other due work are doing: late and coming work by kind, and the servers that do it."""

    now: Annotated[str, Meta(description="The present moment on the clock of instances and bills.")]
    oldest_release_time: Annotated[
        str | None, Meta(description="Since when the oldest overdue release is due; left out where none is.")
    ] = None
    oldest_release_late_seconds: Annotated[
        int, Meta(description="For how many seconds the oldest overdue release has been due; 0 where none is.")
    ]
    kinds: Annotated[list[DueKindWork], Meta(description="Every kind of due work, in the order in which it is done.")]
    lateness: Annotated[
        list[LatenessCount],
        Meta(
            description=(
                "How late the answering server did its releases since it started. Other servers count their own "
                "(leasebook_release_lateness_seconds)."
            )
        ),
    ]
    servers: Annotated[
        list[SeenServer],
        Meta(
            description=(
                "Servers and workers that have not stopped, the last started first. One that was silent for ten "
                "minutes is left out."
            )
        ),
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
    read(
        CLOCK,
        "DescribeDueWork",
        "describe_due_work",
        Empty,
        DueWorkReport,
        "Tell how releases and other due work are doing: late and coming work by kind, and the servers that do it.",
        own_only="Due work is of the whole store.",
        policies=p.OPERATORS,
        example={},
        answer={
            "now": "2026-11-30T07:18:45+08:00",
            "oldestReleaseLateSeconds": 0,
            "kinds": [{"kind": "release", "overdue": 0, "lateSeconds": 0, "dueWithinHour": 12, "done": 4711}],
            "lateness": [{"upToSeconds": 0.01, "releases": 4690}, {"upToSeconds": None, "releases": 0}],
            "servers": [
                {
                    "serverId": "4a0f6c1e2b3d4c5f8a9b0c1d2e3f4a5b",
                    "node": "node-1",
                    "startTime": "2026-11-29T22:00:00+08:00",
                    "engines": ["process"],
                    "isAnswering": True,
                    "silentSeconds": 2,
                }
            ],
        },
    ),
)
