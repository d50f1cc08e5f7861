"""Each operation has one record, in the file of its noun, and a missing record is reported with the file to write."""

from __future__ import annotations

import msgspec
import pytest

from leasebook.contract.actions import ACTIONS
from tests.actions.records import RECORDS, noun_of, record_of, recorded


def test_an_action_has_a_record() -> None:
    for action in ACTIONS:
        assert record_of(action)


def test_a_record_stands_in_the_file_of_its_noun_and_nothing_else_does() -> None:
    found = [(operation, noun) for noun, operation, _ in recorded()]
    assert sorted(found) == sorted((operation, noun_of(operation)) for operation in {one.operation for one in ACTIONS})


def test_without_a_record_the_failure_names_the_file_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    action = ACTIONS[0]
    monkeypatch.delitem(RECORDS, action.operation)
    with pytest.raises(pytest.fail.Exception) as failed:
        record_of(action)
    assert str(failed.value) == (
        "PurchaseComputeUnit at /v2/serviceresources has no record: write one under 'purchase_replicas' into RECORDS of"
        " tests/actions/nouns/replica.py."
    )


def test_an_operation_that_the_contract_does_not_have_has_no_noun() -> None:
    with pytest.raises(LookupError, match="purchase_nothing"):
        noun_of("purchase_nothing")


def test_a_row_under_another_name_has_the_record_of_its_operation() -> None:
    other = msgspec.structs.replace(ACTIONS[0], name="BuyReplicas", legacy=True)
    assert record_of(other) is record_of(ACTIONS[0])
