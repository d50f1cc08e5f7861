"""The texts of the contract that people read on the command line: about actions, errors, policies and fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from leasebook.contract.actions import ACTIONS
from leasebook.contract.errors import ERRORS
from leasebook.contract.parameters.fields import fields_of
from leasebook.contract.policies import MEANINGS

SUMMARIES: Final = "contract"
"""The part with the sentences about actions."""
FIELDS: Final = "fields"
"""The part with the sentences about errors, policies and fields."""
OPTIONAL: Final = frozenset({SUMMARIES, FIELDS})
"""Parts in which a sentence may have no translation: it is shown in English."""


def contract_texts(part: str) -> Iterator[str]:
    """Yield the texts of a part; none where the part is not one of the contract's."""
    if part == SUMMARIES:
        yield from (action.summary for action in ACTIONS)
    elif part == FIELDS:
        yield from (error.meaning for error in ERRORS)
        yield from MEANINGS.values()
        for action in ACTIONS:
            yield from (field.meaning for field in fields_of(action.request) if field.meaning)
