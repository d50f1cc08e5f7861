"""Faults that a server makes on demand, so that callers can test what they do then."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from leasebook.contract import policies as p
from leasebook.contract.action import FAULTS, read, write
from leasebook.contract.shapes import Empty, Id, Ids, Part, Request, Shape

FaultKind = Literal[
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
OF_ENGINES: Final = frozenset({"EngineSilent", "EngineFails", "ReplicaLost"})
"""Kinds that no call has, so that they cannot be limited to an action."""
KIND_MEANT: Final = (
    "InsufficientStock, InsufficientBalance: the purchase is refused, and the books stay as they are. TooManyRequests: "
    "429 with Retry-After. ErrorBefore: 500, and nothing was done. ErrorAfter: 500, and all was done and committed. "
    "Slow: the call waits before it is done. CutBody: the call is done, and the connection ends in the middle of the "
    "answer. ClockSkew: the signature is checked against a clock that is wrong. StoreUnavailable: 503, and nothing was "
    "done. EngineSilent: instances wait for their engine until the fault is cleared. EngineFails: the engine cannot "
    "provide an instance or its new size. ReplicaLost: a replica dies."
)
ActionName = Annotated[str, Meta(min_length=1, max_length=64)]
_SECONDS: Final = (
    "Slow: how long, 1 where it is left out. TooManyRequests: the value of Retry-After, 1 where it is left out. "
    "ClockSkew: how far the clock is ahead, 86400 where it is left out; a negative number: behind. Other kinds: none."
)
Seconds = Annotated[float, Meta(ge=-86_400, le=86_400)]


class FaultWanted(Part, kw_only=True):
    """A fault, and the calls that it happens to: of an action and of an account, some number of times, by chance."""

    kind: Annotated[FaultKind, Meta(description=KIND_MEANT)]
    action: Annotated[
        ActionName | None, Meta(description="Only calls of this action; left out: of every action that can have it.")
    ] = None
    account_id: Annotated[Id | None, Meta(description="Only this account; left out: all accounts.")] = None
    count: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000)] | None,
        Meta(description="How often it happens; left out: until it is cleared."),
    ] = None
    probability: Annotated[
        Annotated[float, Meta(gt=0, le=1)] | None,
        Meta(description="The chance of each call, above 0 and up to 1; left out: 1."),
    ] = None
    seed: Annotated[
        Annotated[int, Meta(ge=0, le=2**53)] | None,
        Meta(description="Makes the chances the same in each run; left out: they differ."),
    ] = None
    seconds: Annotated[Seconds | None, Meta(description=_SECONDS)] = None


class SetFaultsRequest(Request, kw_only=True):
    """Have the server make faults, besides those that are set already."""

    faults: Annotated[Annotated[list[FaultWanted], Meta(min_length=1, max_length=100)], Meta(description="The faults.")]
    replace: Annotated[
        bool | None, Meta(description="Whether the faults that are set are cleared before; absent or false: they stay.")
    ] = None


class FaultDetail(Shape, kw_only=True):
    """A fault that is set."""

    fault_id: Annotated[str, Meta(description="The fault.")]
    kind: Annotated[str, Meta(description=KIND_MEANT)]
    action: Annotated[str | None, Meta(description="The action whose calls have it; absent: all that can.")] = None
    account_id: Annotated[str | None, Meta(description="The account that has it; absent: all.")] = None
    left: Annotated[int | None, Meta(description="How often it will still happen; absent: without a bound.")] = None
    happened: Annotated[int, Meta(description="How often it has happened.")]
    probability: Annotated[float | None, Meta(description="The chance of each call; absent: 1.")] = None
    seconds: Annotated[float | None, Meta(description=_SECONDS)] = None


class FaultList(Shape, kw_only=True, omit_defaults=False):
    """The faults that this server makes, in the order in which they were set. Other servers do not know them."""

    faults: Annotated[list[FaultDetail], Meta(description="The faults; those that have happened often enough, too.")]


class ClearFaultsRequest(Request, kw_only=True):
    """Have the server make no faults any more, or not those that are named."""

    fault_ids: Annotated[Ids | None, Meta(description="The faults; left out: all of them.")] = None


_ANSWER: Final = {
    "faults": [
        {
            "faultId": "fault-1",
            "kind": "ErrorAfter",
            "action": "PurchaseComputeUnit",
            "left": 1,
            "happened": 0,
        }
    ]
}
_OWN: Final = "Faults are of the server, and name the accounts that have them."

ACTIONS: Final = (
    write(
        FAULTS,
        "SetFaults",
        "set_faults",
        SetFaultsRequest,
        FaultList,
        "Have the server make faults for calls; only a server that was started with --faults has this action.",
        policies=p.OPERATORS,
        example={"faults": [{"kind": "ErrorAfter", "action": "PurchaseComputeUnit", "count": 1}]},
        answer=_ANSWER,
    ),
    read(
        FAULTS,
        "DescribeFaults",
        "describe_faults",
        Empty,
        FaultList,
        "List the faults that the server makes, and how often each has happened.",
        own_only=_OWN,
        policies=p.OPERATORS,
        example={},
        answer=_ANSWER,
    ),
    write(
        FAULTS,
        "ClearFaults",
        "clear_faults",
        ClearFaultsRequest,
        FaultList,
        "Have the server make no faults any more; instances that waited for their engine go on.",
        policies=p.OPERATORS,
        example={},
        answer={"faults": []},
    ),
)
