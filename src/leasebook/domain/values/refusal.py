"""Refusals: the answers that say no. Each message says what the state is and what to do."""

from __future__ import annotations

from typing import Final


class Refusal(Exception):
    """The answer to a command that is refused. A refusal changes nothing.

    ``reason`` is one of the constants below, ``message`` a sentence for the caller, ``field`` the parameter at fault if
    there is one (dotted, as on the wire). ``again_us`` is in how many microseconds the same command would no longer be
    refused for this reason; None: unknown. ``tells_no_use``: of a limit's refusal, that its message says nothing of
    what the account holds or spent, so that a user with policies for projects may read it.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        field: str | None = None,
        again_us: int | None = None,
        tells_no_use: bool = False,
    ) -> None:
        super().__init__(message)
        self.tells_no_use = tells_no_use
        self.reason = reason
        self.message = message
        self.field = field
        self.again_us = again_us

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Refusal) and self._facts() == other._facts()

    def __hash__(self) -> int:
        return hash(self._facts())

    def __repr__(self) -> str:
        return f"Refusal{self._facts()!r}"

    def _facts(self) -> tuple[str, str, str | None]:
        return self.reason, self.message, self.field


BAD_VALUE: Final = "bad_value"
STOCK: Final = "stock"
BALANCE: Final = "balance"
QUOTA: Final = "quota"
NO_INSTANCE: Final = "no_instance"
NO_SERVICE: Final = "no_service"
NO_RESOURCE: Final = "no_resource"
NOT_SUPPORTED: Final = "not_supported"
WRONG_STATE: Final = "wrong_state"
DENIED: Final = "denied"
TOKEN_MISMATCH: Final = "token_mismatch"  # noqa: S105 - not a password
REPLAYED: Final = "replayed"
SIGNED_TOO_OFTEN: Final = "signed_too_often"
UNTRUSTED: Final = "untrusted"
SUSPENDED: Final = "suspended"
APPROVAL: Final = "approval"
TAG_POLICY: Final = "tag_policy"

REASONS: Final = (
    BAD_VALUE,
    STOCK,
    BALANCE,
    QUOTA,
    NO_INSTANCE,
    NO_SERVICE,
    NO_RESOURCE,
    NOT_SUPPORTED,
    WRONG_STATE,
    DENIED,
    TOKEN_MISMATCH,
    REPLAYED,
    SIGNED_TOO_OFTEN,
    UNTRUSTED,
    SUSPENDED,
    APPROVAL,
    TAG_POLICY,
)

REMEMBERED: Final = frozenset(REASONS) - {BAD_VALUE, DENIED, TOKEN_MISMATCH, REPLAYED, SIGNED_TOO_OFTEN}
"""Refusals that are kept as the answer to a client token.

A late duplicate must not buy what its sender was refused (decision 10). The other refusals are not kept: a malformed or
forbidden request was never decided.
"""
