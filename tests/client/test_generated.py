"""The modules that are generated from the contract: current, complete, and true to the contract's examples."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from leasebook.client import AsyncClient, Client, methods
from leasebook.client.caller import ActionOf
from leasebook.client.codes import BY_CODE
from leasebook.contract import errors
from leasebook.contract.action import Action
from leasebook.docsgen.client_modules import formatted, modules, operations
from leasebook.docsgen.pages import CLIENT
from tests.style.repository import ROOT

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d|Z)")
AMOUNT = re.compile(r"-?\d+\.\d+")
FREE = {"CloudEvent.data", "CloudEvent.specversion", "AuditEntry.request"}
OPERATIONS = operations()


def action_of(row: Action) -> ActionOf[Any]:
    for name in vars(methods):
        module = inspect.getmodule(getattr(methods, name))
        found = getattr(module, row.operation.upper(), None)
        if isinstance(found, ActionOf):
            return found
    raise AssertionError(row.operation)


def untyped(value: Any, where: str = "") -> Iterator[str]:
    """Yield the places of texts that look like a time or an amount."""
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from untyped(getattr(value, name), f"{type(value).__name__}.{name}")
    elif isinstance(value, list):
        for one in value:
            yield from untyped(one, where)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from untyped(one, where)
    elif isinstance(value, str) and (TIME.fullmatch(value) or AMOUNT.fullmatch(value)):
        yield where


def test_the_modules_are_those_that_the_contract_gives_and_there_are_no_others() -> None:
    wanted = {ROOT / CLIENT / name: text for name, text in formatted(modules()).items()}
    for path, text in wanted.items():
        assert path.read_text() == text, f"{path} is old: leasebook docs"
    there = {path for folder in ("methods", "shapes") for path in (ROOT / CLIENT / folder).rglob("*.py")}
    assert there <= wanted.keys()


@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_each_operation_has_a_method(client: type) -> None:
    for row in OPERATIONS:
        method = getattr(client, row.operation)
        assert method.__doc__, row.operation
        assert f"{row.path}?Action={row.name}" in method.__doc__


def test_each_example_answer_can_be_read_and_its_times_and_amounts_are_no_texts() -> None:
    plain: set[str] = set()
    for row in OPERATIONS:
        if row.downloads:
            continue
        raw = msgspec.Raw(msgspec.json.encode(row.answer))
        plain |= set(untyped(action_of(row).result(raw), row.operation))
    assert plain - FREE == set()


def test_each_example_request_is_what_the_client_sends_for_its_parameters() -> None:
    for row in OPERATIONS:
        fields = {field.encode_name: field.name for field in msgspec.structs.fields(row.request)}
        given = {fields[name]: value for name, value in row.example.items()}
        assert msgspec.json.decode(action_of(row).body(given)) == row.example, row.operation


def test_each_error_code_has_an_exception() -> None:
    codes = {one.code for one in vars(errors).values() if isinstance(one, errors.ErrorCode)}
    assert set(BY_CODE) == codes
    assert all(kind.__name__ == code for code, kind in BY_CODE.items())


def test_times_and_amounts_have_their_types() -> None:
    row = next(one for one in OPERATIONS if one.operation == "describe_orders")
    page = action_of(row).result(msgspec.Raw(msgspec.json.encode(row.answer)))
    order = page.orders[0]
    assert isinstance(order.create_time, datetime)
    assert order.create_time.tzinfo is not None
    assert isinstance(order.amount, Decimal)
