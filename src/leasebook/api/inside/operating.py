"""The step that all calls share: an operation is performed, again where an id that it drew is taken."""

from __future__ import annotations

from typing import Any, Final

import structlog

from leasebook.api.context import Call, Context
from leasebook.api.handlers import OPERATIONS
from leasebook.batch import IdTaken

log = structlog.get_logger()

ID_REPEATS: Final = 3
"""How often a call is decided again because an id that it drew is taken."""


async def operate(context: Context, call: Call[Any]) -> Any:
    """Perform an operation, which draws the new ids; again with others where one of them is taken.

    Nothing was done then, and no client token or nonce was used. An operation submits one command, after which
    nothing can be taken. Raises IdTaken after ``ID_REPEATS`` repeats.
    """
    operation = OPERATIONS[call.action.operation]
    for _ in range(ID_REPEATS):
        try:
            return await operation(context, call)
        except IdTaken as taken:
            log.warning("a new id is taken, another is drawn", action=call.action.name, reason=taken.detail)
    return await operation(context, call)
