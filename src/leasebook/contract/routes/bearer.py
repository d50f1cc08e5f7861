"""The short-lived token of an access key: the one call that is no POST with an action, and its answer."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from leasebook.contract import policies as p
from leasebook.contract.action import Action, read
from leasebook.contract.shapes import Empty, Shape

PATH: Final = "/v1/BCE-BEARER/token"
EXPIRE: Final = "expireInSeconds"
"""The parameter of the query."""
SECONDS_USUAL: Final = 1800
EXPIRE_MEANS: Final = (
    f"For how many whole seconds the token is wanted; {SECONDS_USUAL} if it is left out. More than the setting "
    "bearer_token.max_seconds gives that many, as expireTime says."
)


class BearerToken(Shape, kw_only=True):
    """A token for calling services in the header ``Authorization: Bearer ...``. Times are RFC 3339, in UTC."""

    user_id: Annotated[str, Meta(description="The user whose access key signed the request.")]
    token: Annotated[str, Meta(description="The token.")]
    status: Annotated[str, Meta(description="Always enable.")]
    create_time: Annotated[str, Meta(description="When it was made.")]
    expire_time: Annotated[str, Meta(description="From when on it opens nothing.")]


CREATE_TOKEN: Final[Action] = read(
    PATH,
    "CreateBearerToken",
    "create_bearer_token",
    Empty,
    BearerToken,
    "Make a short-lived token for calling services with the rights of the caller",
    policies=p.WRITERS,
    example={},
    answer={
        "userId": "user-3f0a1b2c3d4e",
        "token": "bce-v3/ALTAK-lbt1-1767225600-1767227400-AKLEASEBOOK/0a1b2c",
        "status": "enable",
        "createTime": "2026-01-01T00:00:00Z",
        "expireTime": "2026-01-01T00:30:00Z",
    },
)
"""It is described as an action, but is in no table: the path alone names it, and its answer has no envelope."""
