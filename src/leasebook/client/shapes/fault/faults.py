"""Shapes of values: faults. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from typing import Literal

from leasebook.client.shape import Shape


class FaultDetail(Shape, kw_only=True):
    """A fault that is set."""

    fault_id: str
    """The fault."""
    kind: str
    """InsufficientStock, InsufficientBalance: the purchase is refused, and the books stay as they are. TooManyRequests:
    429 with Retry-After. ErrorBefore: 500, and nothing was done. ErrorAfter: 500, and all was done and committed.
    Slow: the call waits before it is done. CutBody: the call is done, and the connection ends in the middle of the
    answer. ClockSkew: the signature is checked against a clock that is wrong. StoreUnavailable: 503, and nothing was
    done. EngineSilent: instances wait for their engine until the fault is cleared. EngineFails: the engine cannot
    provide an instance or its new size. ReplicaLost: a replica dies.
    """
    action: str | None = None
    """The action whose calls have it; absent: all that can."""
    account_id: str | None = None
    """The account that has it; absent: all."""
    left: int | None = None
    """How often it will still happen; absent: without a bound."""
    happened: int
    """How often it has happened."""
    probability: float | None = None
    """The chance of each call; absent: 1."""
    seconds: float | None = None
    """Slow: how long, 1 where it is left out. TooManyRequests: the value of Retry-After, 1 where it is left out.
    ClockSkew: how far the clock is ahead, 86400 where it is left out; a negative number: behind. Other kinds: none.
    """


class FaultList(Shape, kw_only=True):
    """The faults that this server makes, in the order in which they were set. Other servers do not know them."""

    faults: list[FaultDetail]
    """The faults; those that have happened often enough, too."""


class FaultWanted(Shape, kw_only=True):
    """A fault, and the calls that it happens to: of an action and of an account, some number of times, by chance."""

    kind: Literal[
        "InsufficientStock",
        "InsufficientBalance",
        "TooManyRequests",
        "ErrorBefore",
        "ErrorAfter",
        "Slow",
        "CutBody",
        "ClockSkew",
        "StoreUnavailable",
        "EngineSilent",
        "EngineFails",
        "ReplicaLost",
    ]
    """InsufficientStock, InsufficientBalance: the purchase is refused, and the books stay as they are. TooManyRequests:
    429 with Retry-After. ErrorBefore: 500, and nothing was done. ErrorAfter: 500, and all was done and committed.
    Slow: the call waits before it is done. CutBody: the call is done, and the connection ends in the middle of the
    answer. ClockSkew: the signature is checked against a clock that is wrong. StoreUnavailable: 503, and nothing was
    done. EngineSilent: instances wait for their engine until the fault is cleared. EngineFails: the engine cannot
    provide an instance or its new size. ReplicaLost: a replica dies.
    """
    action: str | None = None
    """Only calls of this action; left out: of every action that can have it."""
    account_id: str | None = None
    """Only this account; left out: all accounts."""
    count: int | None = None
    """How often it happens; left out: until it is cleared."""
    probability: float | None = None
    """The chance of each call, above 0 and up to 1; left out: 1."""
    seed: int | None = None
    """Makes the chances the same in each run; left out: they differ."""
    seconds: float | None = None
    """Slow: how long, 1 where it is left out. TooManyRequests: the value of Retry-After, 1 where it is left out.
    ClockSkew: how far the clock is ahead, 86400 where it is left out; a negative number: behind. Other kinds: none.
    """
