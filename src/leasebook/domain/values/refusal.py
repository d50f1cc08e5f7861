"""Refusals: the answers that say no, with what is so and what to do."""

from __future__ import annotations

from typing import Final


class Refusal(Exception):
    """A command that is refused changed nothing.

    ``reason`` is one of the constants below, ``message`` a sentence for the caller, ``field`` the
    parameter at fault where one is (dotted, as on the wire). ``again_us``, where it is known, is after how many
    microseconds the same would not be refused for this.
    """

    def __init__(self, reason: str, message: str, *, field: str | None = None, again_us: int | None = None) -> None:
        super().__init__(message)
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
UNTRUSTED: Final = "untrusted"

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
    UNTRUSTED,
)

REMEMBERED: Final = frozenset(REASONS) - {BAD_VALUE, DENIED, TOKEN_MISMATCH, REPLAYED}
"""Refusals that a client token keeps: a late duplicate must not buy what its sender was refused (decision 10).

What was malformed or not permitted was never decided."""
