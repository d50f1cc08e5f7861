"""Faults: set, described and cleared."""

from __future__ import annotations

from typing import Final

import structlog

from leasebook.api.context import Call, Context, Operation
from leasebook.api.fault import bad_field
from leasebook.api.faults.engine_reports import go_on
from leasebook.api.faults.injection import REFUSALS, SPARED
from leasebook.api.faults.registry import FAULTS_MAX, Faults
from leasebook.contract import shapes as base
from leasebook.contract.actions import ACTIONS
from leasebook.contract.nearest import nearest_of
from leasebook.contract.nouns.fault import faults as contract

log = structlog.get_logger()

_NAMES: Final = frozenset(action.name for action in ACTIONS if action.path not in SPARED)


def _of(context: Context) -> Faults:
    assert context.faults is not None  # noqa: S101 - a server without faults has none of these actions
    return context.faults


def _check(place: int, wanted: contract.FaultWanted) -> None:
    """Raise Fault where no call could ever have the fault."""
    field = f"faults[{place}]"
    if wanted.action is not None:
        if wanted.kind in contract.OF_ENGINES:
            raise bad_field(f"{field}.action", f"{wanted.kind} is a fault of engines, and no call has it.")
        if wanted.action not in _NAMES:
            near = nearest_of(wanted.action, tuple(sorted(_NAMES)))
            more = "" if near is None else f" The nearest is {near}."
            raise bad_field(f"{field}.action", f"No action that can have faults is named {wanted.action!r}.{more}")
        for kind, _, error in REFUSALS:
            rows = [action for action in ACTIONS if action.name == wanted.action]
            if wanted.kind == kind and not any(error in action.errors for action in rows):
                raise bad_field(f"{field}.action", f"{wanted.action} buys nothing, and is never answered {error.code}.")
    if wanted.account_id is not None and wanted.kind == "ReplicaLost":
        raise bad_field(f"{field}.accountId", "Engines do not know whose a replica is: leave the account out.")


def _listed(faults: Faults) -> contract.FaultList:
    return contract.FaultList(
        faults=[
            contract.FaultDetail(
                fault_id=fault.id,
                kind=fault.wanted.kind,
                action=fault.wanted.action,
                account_id=fault.wanted.account_id,
                left=fault.left,
                happened=fault.happened,
                probability=fault.wanted.probability,
                seconds=fault.wanted.seconds,
            )
            for fault in faults
        ]
    )


async def set_faults(context: Context, call: Call[contract.SetFaultsRequest]) -> contract.FaultList:
    """Set faults, all or none."""
    await context.confirm(call)
    faults, request = _of(context), call.request
    for place, wanted in enumerate(request.faults):
        _check(place, wanted)
    has = 0 if request.replace else len(faults)
    if has + len(request.faults) > FAULTS_MAX:
        raise bad_field("faults", f"A server makes at most {FAULTS_MAX} faults; clear some with ClearFaults.")
    freed = faults.clear(None) if request.replace else []
    for wanted in request.faults:
        faults.add(wanted)
    await go_on(context.sequencer, freed)
    log.warning("faults are set by an operator", kinds=[wanted.kind for wanted in request.faults])
    return _listed(faults)


async def describe_faults(context: Context, call: Call[base.Empty]) -> contract.FaultList:
    """List the faults."""
    await context.confirm(call)
    return _listed(_of(context))


async def clear_faults(context: Context, call: Call[contract.ClearFaultsRequest]) -> contract.FaultList:
    """Clear faults, and have instances go on that waited for their engine."""
    await context.confirm(call)
    ids = call.request.fault_ids
    await go_on(context.sequencer, _of(context).clear(None if ids is None else frozenset(ids)))
    return _listed(_of(context))


OPERATIONS: Final[dict[str, Operation]] = {
    "set_faults": set_faults,
    "describe_faults": describe_faults,
    "clear_faults": clear_faults,
}
