"""The context of operations is complete when it is made."""

from __future__ import annotations

import msgspec
import pytest

from leasebook.api.context import Context


def test_every_part_is_named_when_the_context_is_made_and_none_is_exchanged_later() -> None:
    fields = [field.name for field in msgspec.structs.fields(Context)]
    parts = dict.fromkeys(fields)
    context = Context(**parts)  # type: ignore[arg-type]
    for name in fields:
        with pytest.raises(TypeError, match=name):
            Context(**{field: None for field in fields if field != name})  # type: ignore[arg-type]
        with pytest.raises(AttributeError):
            setattr(context, name, "another")
    with pytest.raises(AttributeError):
        context.later = "something"  # type: ignore[attr-defined]
