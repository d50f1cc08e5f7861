"""Money: whole micro-units of one currency, never a float."""

from __future__ import annotations

from decimal import Context, Decimal
from typing import NewType

from leasebook.contract.amounts import PLAIN

Micro = NewType("Micro", int)
"""An amount in millionths of the currency unit (1.00 CNY = 1,000,000)."""

MICRO_PER_UNIT = 1_000_000
MICRO_MAX = Micro(2**62)
"""Upper bound of amounts, so that sums of a few fit into 64 bits on every store."""

ZERO = Micro(0)

DIGITS_MAX = 60
_EXACT = Context(prec=2 * DIGITS_MAX)


class BadAmount(ValueError):
    """A text that is no amount of money; the message says why."""


def parse_amount(text: str | Decimal) -> Micro:
    """Parse a decimal amount such as ``"12.5"`` exactly.

    Raises BadAmount for anything but a finite decimal number with at most six decimal places and a size below
    MICRO_MAX. A text consists of digits, a point and digits (decision 31): ``"1_000"``, ``"1e3"``, ``"5."``, blanks and
    digits of other scripts are refused.
    """
    if isinstance(text, str) and not PLAIN.fullmatch(text):
        raise BadAmount(f"{text[:64]!r} is not a plain decimal number such as 12.5")
    value = Decimal(text)
    if not value.is_finite():
        raise BadAmount(f"{text!r} is not a finite number")
    # Checked before scaling: 1e999999 would take for ever to become an integer.
    if value.adjusted() > DIGITS_MAX or abs(value) >= MICRO_MAX // MICRO_PER_UNIT:
        raise BadAmount("the amount is too large")
    if len(value.as_tuple().digits) > DIGITS_MAX:
        raise BadAmount(f"the amount has more than {DIGITS_MAX} digits")
    scaled = value.scaleb(6, _EXACT)
    if scaled != scaled.to_integral_value():
        raise BadAmount(f"{text} has more than six decimal places")
    return Micro(int(scaled))


def amount_text(amount: int) -> str:
    """Write an amount as a decimal string with two to six decimal places."""
    sign = "-" if amount < 0 else ""
    whole, part = divmod(abs(amount), MICRO_PER_UNIT)
    decimals = f"{part:06d}"
    kept = decimals.rstrip("0")
    return f"{sign}{whole}.{kept if len(kept) > 2 else decimals[:2]}"  # noqa: PLR2004


def checked(amount: int) -> Micro:
    """Return the amount; raises OverflowError if it is outside the range that every store can hold."""
    if abs(amount) >= MICRO_MAX:
        raise OverflowError(f"an amount of {amount} micro-units is out of range")
    return Micro(amount)
