"""Shapes of values: clock. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from datetime import datetime

from leasebook.client.shape import Shape


class ClockDetail(Shape, kw_only=True):
    """The time that instances and bills go by, and the clock that gives it."""

    now: datetime
    """The present moment on that clock."""
    mode: str
    """real: the machine's clock. virtual: a clock that only AdvanceClock moves."""
    held: bool = False
    """True while a jump of the machine's clock holds due work; left out otherwise."""
    reason: str | None = None
    """Why due work is held, and what ends that."""


class DueKindWork(Shape, kw_only=True):
    """Due work of one kind. Of releases all count, of other kinds the instances whose first due work is of the kind."""

    kind: str
    """The kind, as in the metric leasebook_due_done_total."""
    overdue: int
    """How many instances, or requests, have it due now, at all servers."""
    oldest_time: datetime | None = None
    """Since when the oldest of them is due; left out where none is."""
    late_seconds: int
    """For how many seconds the oldest has been due; 0 where none is."""
    due_within_hour: int
    """How many have it due in the next hour."""
    done: int
    """How many pieces the answering server has done since it started."""


class LatenessCount(Shape, kw_only=True):
    """Releases that were late by more than the bound before and up to this one."""

    up_to_seconds: float | None
    """The bound; null: no bound."""
    releases: int
    """How many releases the answering server did so late since it started."""


class SeenServer(Shape, kw_only=True):
    """A server, or a worker without an API, that does due work on the store."""

    server_id: str
    """Its id, new at each start."""
    node: str
    """The machine that it runs on."""
    start_time: datetime
    """When it started, on its machine's clock."""
    engines: list[str]
    """The engines that it works with."""
    is_answering: bool
    """Whether it is the server that answers."""
    silent_seconds: int | None
    """For how many seconds the answering server has not seen it say that it lives, which each does every few seconds;
    null: it has only just looked. Ask again to know.
    """


class DueWorkReport(Shape, kw_only=True):
    """How releases and other due work are doing: late and coming work by kind, and the servers that do it."""

    now: datetime
    """The present moment on the clock of instances and bills."""
    oldest_release_time: datetime | None = None
    """Since when the oldest overdue release is due; left out where none is."""
    oldest_release_late_seconds: int
    """For how many seconds the oldest overdue release has been due; 0 where none is."""
    kinds: list[DueKindWork]
    """Every kind of due work, in the order in which it is done."""
    lateness: list[LatenessCount]
    """How late the answering server did its releases since it started. Other servers count their own
    (leasebook_release_lateness_seconds).
    """
    servers: list[SeenServer]
    """Servers and workers that have not stopped, the last started first. One that was silent for ten minutes is left
    out.
    """
