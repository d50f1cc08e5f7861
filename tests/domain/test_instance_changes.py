"""A rule may change fields of an instance, within their types, and never its owner, offering or id."""

from __future__ import annotations

from typing import get_type_hints

from leasebook.domain.model.instance import Instance, InstanceChanges

NEVER = {
    "id",
    "account_id",
    "created_by",
    "order_id",
    "service_id",
    "region",
    "type",
    "kind",
    "created_at",
}


def test_every_field_but_those_that_never_change_may_change_to_a_value_of_its_type() -> None:
    fields, changes = get_type_hints(Instance), get_type_hints(InstanceChanges)
    assert changes == {name: kind for name, kind in fields.items() if name not in NEVER}
    assert fields.keys() >= NEVER
