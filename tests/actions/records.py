"""The records of all operations, and what to do where one is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules, walk_packages
from typing import Any, Final

import pytest

from leasebook.contract import nouns as contract
from leasebook.contract.action import Action
from leasebook.contract.actions import ACTIONS
from tests.actions import nouns
from tests.actions.office import Office
from tests.actions.record import ActionRecord

ANY_ACTION = pytest.mark.parametrize("action", ACTIONS, ids=lambda action: f"{action.path}-{action.name}")


def noun_of(operation: str) -> str:
    """Return the noun of the contract that has an operation among its rows."""
    for module in walk_packages(contract.__path__, f"{contract.__name__}."):
        for rows in vars(import_module(module.name)).values():
            if isinstance(rows, tuple) and any(isinstance(one, Action) and one.operation == operation for one in rows):
                return module.name.rpartition(".")[2]
    raise LookupError(f"{operation} is in no module of {contract.__name__}")


def recorded() -> Iterator[tuple[str, str, ActionRecord]]:
    """Yield each record with its noun and its operation."""
    for module in iter_modules(nouns.__path__):
        records: Mapping[str, ActionRecord] = import_module(f"{nouns.__name__}.{module.name}").RECORDS
        for operation, record in records.items():
            yield module.name, operation, record


RECORDS: Final = {operation: record for _, operation, record in recorded()}


def record_of(action: Action) -> ActionRecord:
    """Return the record of an action; fails with what to write where it has none."""
    if action.operation not in RECORDS:
        noun = noun_of(action.operation)
        pytest.fail(
            f"{action.name} at {action.path} has no record: write one under {action.operation!r} into RECORDS of"
            f" tests/actions/nouns/{noun}.py.",
            pytrace=False,
        )
    return RECORDS[action.operation]


def body_of(action: Action, office: Office) -> Any:
    """Return a body that an action answers well; what it names is there and can still be acted upon."""
    body = record_of(action).body
    paged = {"maxKeys": 3} if "maxKeys" in action.request.__struct_encode_fields__ else {}
    return {**paged, **(body(office) if callable(body) else body)}
