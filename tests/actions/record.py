"""The record of an action, and the sets of policies that records name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from tests.actions.office import Office

FULL, OPERATE = "QianfanFullControlAccessPolicy", "QianfanServiceOperateAccessPolicy"
SERVICE_READ, READ = "QianfanServiceReadAccessPolicy", "QianfanReadAccessPolicy"
DATA_FULL, DATA_OPERATE = "QianfanDataFullControlAccessPolicy", "QianfanDataOperateAccessPolicy"
MODEL_FULL, MODEL_READ = "QianfanModelTuningFullControlAccessPolicy", "QianfanModelTuningReadAccessPolicy"
OPERATOR = "LeasebookOperatorPolicy"
FLEET_READ, BILLING_READ = "LeasebookFleetReadPolicy", "LeasebookBillingReadPolicy"
SUPPORT = "LeasebookSupportPolicy"
HOUSE: Final = (OPERATOR, FLEET_READ, BILLING_READ, SUPPORT)
"""The policies over every account."""
POLICIES: Final = (FULL, OPERATE, SERVICE_READ, READ, DATA_FULL, DATA_OPERATE, MODEL_FULL, MODEL_READ, *HOUSE)

WRITERS: Final = frozenset({FULL, OPERATE})
READERS: Final = WRITERS | {SERVICE_READ, READ}
MODEL_WRITERS: Final = WRITERS | {MODEL_FULL}
MODEL_READERS: Final = READERS | {MODEL_FULL, MODEL_READ}
MANAGERS: Final = frozenset({FULL})
OPERATORS: Final = frozenset({OPERATOR})
FLEET_READERS: Final = frozenset({OPERATOR, FLEET_READ, SUPPORT})
BILLING_READERS: Final = frozenset({OPERATOR, BILLING_READ})
SUPPORTERS: Final = frozenset({OPERATOR, SUPPORT})
ANYBODY: Final = frozenset({*POLICIES, ""})
"""The empty name means a user without any policy."""

Body = Mapping[str, Any]


def of_own(body: Body | Callable[[Office], Body]) -> Callable[[Office], Body]:
    """Return a body that names the caller's own account besides."""
    return lambda office: {**(body(office) if callable(body) else body), "accountId": office.user["accountId"]}


class ActionRecord(NamedTuple):
    """The tests' knowledge of one operation: written a second time, and not derived from the contract.

    Every test of all actions reads it: who may call it, values that are wrong, another account's rows, the keys and
    types of its answer, client tokens, and its example. Actions that are the same operation have one record.
    """

    permitted: frozenset[str]
    """Each of these policies alone permits it, and no other does."""
    shape: Any
    """Keys and types of the result, as ``forms.misfit`` reads them. Of a stream: a list with the shape of an event."""
    body: Body | Callable[[Office], Body] = MappingProxyType({})
    """A body that is answered well, with every field that can be given together with the others.

    A function makes what the body names. It is called for each try, so what it names can still be acted upon.
    """
    foreign: tuple[Body, ...] = ()
    """Bodies that name rows of another account. Each answers as if those rows were not there.

    ``"UNIT"`` and other words take the place of ids: ``test_neighbours.ABSENT`` lists them. ``"MINE"`` and
    ``"OWN"`` are a service and an instance of the caller.
    """
    searches: tuple[Body, ...] = ()
    """The same for lists and histories that are filtered by an id. Each finds nothing."""
    example_stage: int = 0
    """When a demo is asked the example of the contract: after the examples of all lower stages.

    An example that needs another one, or that leaves less behind than others need, has a higher stage. Within a stage
    the last row of the table comes first.
    """
    example_differs: bool = False
    """A demo lists nothing yet of what the example answer shows, such as a delivery that was given up."""
