"""The policies that permit actions. Append only."""

from __future__ import annotations

from typing import Final, Literal, get_args

FULL: Final = "QianfanFullControlAccessPolicy"
OPERATE: Final = "QianfanServiceOperateAccessPolicy"
SERVICE_READ: Final = "QianfanServiceReadAccessPolicy"
READ: Final = "QianfanReadAccessPolicy"
DATA_FULL: Final = "QianfanDataFullControlAccessPolicy"
DATA_OPERATE: Final = "QianfanDataOperateAccessPolicy"
MODEL_FULL: Final = "QianfanModelTuningFullControlAccessPolicy"
MODEL_READ: Final = "QianfanModelTuningReadAccessPolicy"
OPERATOR: Final = "LeasebookOperatorPolicy"
FLEET_READ: Final = "LeasebookFleetReadPolicy"
BILLING_READ: Final = "LeasebookBillingReadPolicy"
SUPPORT: Final = "LeasebookSupportPolicy"

PolicyName = Literal[
    "QianfanFullControlAccessPolicy",
    "QianfanServiceOperateAccessPolicy",
    "QianfanServiceReadAccessPolicy",
    "QianfanReadAccessPolicy",
    "QianfanDataFullControlAccessPolicy",
    "QianfanDataOperateAccessPolicy",
    "LeasebookOperatorPolicy",
    "QianfanModelTuningFullControlAccessPolicy",
    "QianfanModelTuningReadAccessPolicy",
    "LeasebookFleetReadPolicy",
    "LeasebookBillingReadPolicy",
    "LeasebookSupportPolicy",
]

POLICY_NAMES: Final[tuple[str, ...]] = get_args(PolicyName)

Policies = frozenset[str]

WRITERS: Final[Policies] = frozenset({FULL, OPERATE})
READERS: Final[Policies] = frozenset({FULL, OPERATE, SERVICE_READ, READ})
# The documents name the data policies for lists of services; the service policies make more sense. Both work.
SERVICE_LISTERS: Final[Policies] = READERS | {DATA_FULL, DATA_OPERATE}
MODEL_WRITERS: Final[Policies] = WRITERS | {MODEL_FULL}
MODEL_READERS: Final[Policies] = READERS | {MODEL_FULL, MODEL_READ}
MANAGERS: Final[Policies] = frozenset({FULL})
OPERATORS: Final[Policies] = frozenset({OPERATOR})
ANYBODY: Final[Policies] = frozenset()
"""Any caller with a valid key."""

FOR_PROJECTS: Final[Policies] = frozenset({FULL, OPERATE, SERVICE_READ, READ})
"""Those that a user may have for some projects of an account. Money, users and models belong to no project."""

# Policies over every account. The rest of the module says which of them permit what there.
OF_THE_HOUSE: Final[Policies] = frozenset({OPERATOR, FLEET_READ, BILLING_READ, SUPPORT})
"""Only operators attach and detach them."""
FLEET_READERS: Final[Policies] = frozenset({OPERATOR, FLEET_READ, SUPPORT})
"""See what every account holds and runs, and what happens to it."""
BILLING_READERS: Final[Policies] = frozenset({OPERATOR, BILLING_READ})
"""See the money of every account."""
HOUSE_READERS: Final[Policies] = FLEET_READERS | BILLING_READERS
"""See what has to do with both, such as orders."""
SUPPORTERS: Final[Policies] = frozenset({OPERATOR, SUPPORT})
"""End instances of every account, with a reason."""

MEANINGS: Final[dict[str, str]] = {
    FULL: "everything in the account; the account's root user has it without being given it",
    OPERATE: "buy, change and end what the account holds and runs, and see all of it",
    READ: "see everything in the account, its users included",
    SERVICE_READ: "see what the account holds, runs and pays",
    DATA_FULL: "list services",
    DATA_OPERATE: "list services",
    MODEL_FULL: "make and delete models, and see them",
    MODEL_READ: "see models",
    OPERATOR: "run the service: money, prices, stock, accounts, clock; see every account, and end what it holds",
    FLEET_READ: "see what every account holds and runs, and its orders; no balances, budgets or postings",
    BILLING_READ: "see the money of every account: balances, orders, postings, statements",
    SUPPORT: "see as fleet readers do, subscribe to events, and end instances and take services off, with a reason",
}
"""The purpose of each policy."""
