"""Postings as the store keeps them: with numbers in place of ids, so that an hourly charge takes half of the space.

The table ``posting_rows`` names an account and an instance by their numbers, and has no ledger accounts where they are
the usual ones of its kind. The view ``postings`` shows its rows with all fields; queries read that, and choose their
rows by number (``OF_ACCOUNT``, ``OF_UNIT``). A comparison with the ids in the view would be right, too, but PostgreSQL
would read an account's whole history to put it into order.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from leasebook.domain.record.ledger import (
    FUNDING,
    PREPAID_REVENUE,
    USAGE_REVENUE,
    WRITTEN_OFF,
    Posting,
    PostingKind,
    wallet,
)
from leasebook.domain.values.calendar import DAY_US, Instant

DAY: Final = f"at / {DAY_US}"
"""The day of a posting in UTC, as the index of instances has it."""

_WALLET: Final = f"'{wallet('')}' || n.account_id"
VIEW: Final = (
    "CREATE VIEW postings AS SELECT p.seq, n.account_id, p.at, p.kind, "
    f"coalesce(p.debit, CASE p.kind WHEN 'TopUp' THEN '{FUNDING}' WHEN 'WriteOff' THEN '{WRITTEN_OFF}' "
    f"WHEN 'Refund' THEN '{PREPAID_REVENUE}' ELSE {_WALLET} END) AS debit, "
    f"coalesce(p.credit, CASE p.kind WHEN 'Usage' THEN '{USAGE_REVENUE}' WHEN 'PayOut' THEN '{FUNDING}' "
    f"WHEN 'TopUp' THEN {_WALLET} WHEN 'WriteOff' THEN {_WALLET} WHEN 'Refund' THEN {_WALLET} "
    f"ELSE '{PREPAID_REVENUE}' END) AS credit, "
    "p.amount, p.order_id, u.id AS unit_id, CAST(p.minutes AS BIGINT) AS minutes, "
    'p."count", p.price, p.since, p.until, p.project_id, '
    "p.account, p.unit FROM posting_rows p LEFT JOIN account_numbers n ON n.seq = p.account "
    "LEFT JOIN units u ON u.seq = p.unit"
)
_FROM: Final[dict[PostingKind, str]] = {"TopUp": FUNDING, "WriteOff": WRITTEN_OFF, "Refund": PREPAID_REVENUE}
"""The kinds that bring money to a wallet, and where it comes from."""
_TO: Final[dict[PostingKind, str]] = {"Usage": USAGE_REVENUE, "PayOut": FUNDING}
"""Where money from a wallet goes; with any other kind it pays in advance."""

NUMBER_OF_ACCOUNT: Final = "(SELECT seq FROM account_numbers WHERE account_id = ?)"
NUMBER_OF_UNIT: Final = "(SELECT seq FROM units WHERE id = ?)"
OF_ACCOUNT: Final = f"account = {NUMBER_OF_ACCOUNT}"
"""The condition for an account's postings."""
OF_UNIT: Final = f"unit = {NUMBER_OF_UNIT}"
"""The condition for an instance's postings."""

_FIELDS: Final = tuple(field.name for field in msgspec.structs.fields(Posting))
_STORED: Final = {"account_id": "account", "unit_id": "unit"}
NAMES: Final = tuple(_STORED.get(name, name) for name in _FIELDS)
"""The columns of ``posting_rows`` in the order of a posting's fields."""
COLUMNS: Final = ", ".join(f'"{name}"' for name in NAMES)
_NUMBERS: Final = {"account_id": NUMBER_OF_ACCOUNT, "unit_id": NUMBER_OF_UNIT}
INSERT: Final = (
    f"INSERT INTO posting_rows ({COLUMNS}) VALUES ({', '.join(_NUMBERS.get(name, '?') for name in _FIELDS)})"
)
"""Writes a posting; its parameters are those of ``values``."""
_DEBIT: Final = _FIELDS.index("debit")


def units_in(ids: int) -> str:
    """Return the condition for the postings of a number of instances."""
    return f"unit IN (SELECT seq FROM units WHERE id IN ({', '.join('?' * ids)}))"


IN_DAYS: Final = f"{DAY} >= ? AND {DAY} <= ? AND at >= ? AND at < ?"
"""The condition for the postings of a period, with which the index of instances finds them."""


def days(since: Instant, until: Instant) -> tuple[int, int, Instant, Instant]:
    """Return the parameters of ``IN_DAYS`` for a period, from ``since`` to before ``until``."""
    return since // DAY_US, until // DAY_US, since, until


def selected(source: str, unit: str) -> str:
    """Return the columns for a new row, from a source with a posting's fields by their names and its instance's row.

    The number of the account is looked up only where there is no instance, or one of another account.
    """
    given = f"{source}.account_id"
    number = NUMBER_OF_ACCOUNT.replace("?", given)
    account = f"CASE WHEN {unit}.account_id = {given} THEN {unit}.account ELSE {number} END"
    numbers = {"account_id": account, "unit_id": f"{unit}.seq"}
    return ", ".join(numbers.get(name, f'{source}."{name}"') for name in _FIELDS)


def usual_ends(kind: PostingKind, account_id: str) -> tuple[str, str]:
    """Return the ledger accounts between which a kind of posting moves money: where it leaves, and where it arrives."""
    if kind in _FROM:
        return _FROM[kind], wallet(account_id)
    return wallet(account_id), _TO.get(kind, PREPAID_REVENUE)


def values(posting: Posting) -> tuple[Any, ...]:
    """Return a posting's fields as they are written: without the ledger accounts that are usual for its kind."""
    fields = msgspec.structs.astuple(posting)
    debit, credit = usual_ends(posting.kind, posting.account_id)
    return (
        *fields[:_DEBIT],
        None if posting.debit == debit else posting.debit,
        None if posting.credit == credit else posting.credit,
        *fields[_DEBIT + 2 :],
    )
