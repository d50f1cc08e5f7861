"""Checks of signatures' records: rules that signatures can satisfy, nonces of existing keys, counts that add up.

And of sign-ins to the console that hold no more: each is of a user.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from leasebook.domain.record.nonce import DIGEST_BYTES, PAGE_BYTES
from leasebook.domain.record.signature import REQUIREMENTS
from leasebook.domain.values.calendar import HOUR_US, MINUTE_US, SECOND_US
from leasebook.store.queries.audit_log import Fetch

SHOWN_MAX: Final = 1000


def check_signatures(fetch: Fetch) -> Iterator[str]:
    """Yield a line for each row that breaks a rule."""
    yield from _rules(fetch)
    yield from _pages(fetch)
    yield from _nonces(fetch)
    yield from _refused(fetch)
    yield from _sign_ins(fetch)


def _rules(fetch: Fetch) -> Iterator[str]:
    for table, what in (("users", "user"), ("access_keys", "access key")):
        for row_id, text in fetch(f"SELECT id, requires FROM {table} WHERE requires <> '' LIMIT ?", (SHOWN_MAX,)):
            try:
                names = msgspec.json.decode(text, type=list[str])
            except msgspec.DecodeError:
                names = [text]
            if not names or names != [name for name in REQUIREMENTS if name in names]:
                yield f"{what} {row_id} requires {text}, which no signature can be asked for"


def _pages(fetch: Fetch) -> Iterator[str]:
    rows = fetch(
        "SELECT p.access_key_id, p.until, p.number, length(p.digests), k.id FROM nonce_pages p "
        "LEFT JOIN access_keys k ON k.id = p.access_key_id LEFT JOIN nonce_pages b "
        "ON b.until = p.until AND b.access_key_id = p.access_key_id AND b.number = p.number - 1 "
        "WHERE k.id IS NULL OR length(p.digests) = 0 "
        f"OR length(p.digests) / {DIGEST_BYTES} * {DIGEST_BYTES} <> length(p.digests) "
        f"OR p.until / {SECOND_US} * {SECOND_US} <> p.until "
        f"OR (p.number <> 0 AND (b.number IS NULL OR length(b.digests) < {PAGE_BYTES})) LIMIT ?",
        (SHOWN_MAX,),
    )
    for key, until, number, size, found in rows:
        page = f"page {number} of the nonces of access key {key} until {until}"
        if found is None:
            yield f"{page} belongs to no key: there is no such key"
        elif until % SECOND_US:
            yield f"{page} ends at no full second"
        elif not size or size % DIGEST_BYTES:
            yield f"{page} has {size} bytes, which are no digests of {DIGEST_BYTES} bytes"
        else:
            yield f"{page} does not follow a full page"


def _nonces(fetch: Fetch) -> Iterator[str]:
    rows = fetch(
        "SELECT n.access_key_id, n.value, n.hour, k.id FROM nonces n LEFT JOIN access_keys k ON k.id = n.access_key_id "
        f"WHERE k.id IS NULL OR n.hour / {HOUR_US} * {HOUR_US} <> n.hour LIMIT ?",
        (SHOWN_MAX,),
    )
    for key, value, hour, found in rows:
        what = "of which there is no such key" if found is None else f"until {hour}, which is no full hour"
        yield f"nonce {value} of access key {key} is used {what}"


def _sign_ins(fetch: Fetch) -> Iterator[str]:
    rows = fetch(
        "SELECT s.id, s.user_id FROM spent_sign_ins s LEFT JOIN users u ON u.id = s.user_id WHERE u.id IS NULL LIMIT ?",
        (SHOWN_MAX,),
    )
    for spent, user_id in rows:
        yield f"the spent link or session {spent} is of user {user_id}: there is no such user"
    rows = fetch(
        "SELECT d.user_code FROM device_logins d LEFT JOIN users u ON u.id = d.user_id AND u.account_id = d.account_id "
        "LEFT JOIN access_keys k ON k.id = d.access_key_id AND k.user_id = d.user_id "
        "WHERE (d.status = 'Waiting') <> (d.user_id IS NULL) OR (d.user_id IS NOT NULL AND u.id IS NULL) "
        "OR (d.status = 'Approved') <> (k.id IS NOT NULL) LIMIT ?",
        (SHOWN_MAX,),
    )
    for (code,) in rows:
        yield f"the login of a device with the code {code} does not fit its user or its key"
    rows = fetch(
        "SELECT p.login, p.user_id FROM passwords p LEFT JOIN users u ON u.id = p.user_id WHERE u.id IS NULL LIMIT ?",
        (SHOWN_MAX,),
    )
    for login, user_id in rows:
        yield f"the password of {login} is of user {user_id}: there is no such user"
    rows = fetch(
        "SELECT login FROM passwords WHERE (totp IS NULL AND (totp_step <> 0 OR recovery <> '')) "
        "OR (totp IS NOT NULL AND (hash = '' OR totp_step < 1)) LIMIT ?",
        (SHOWN_MAX,),
    )
    for (login,) in rows:
        yield f"the second factor of {login} is not whole, or belongs to a login name that has no password"


def _refused(fetch: Fetch) -> Iterator[str]:
    last, columns = 0, "seq, minute, calls, codes, first_at, last_at"
    while rows := fetch(f"SELECT {columns} FROM refused_calls WHERE seq > ? ORDER BY seq LIMIT ?", (last, SHOWN_MAX)):
        for seq, minute, calls, codes, first_at, last_at in rows:
            last = seq
            try:
                total = sum(msgspec.json.decode(codes, type=dict[str, int]).values())
            except msgspec.DecodeError:
                total = -1
            if total != calls or calls < 1:
                yield f"refused calls {seq} are {calls}, and by code {codes}"
            if minute % MINUTE_US or not minute <= first_at <= last_at < minute + MINUTE_US:
                yield f"refused calls {seq} of the minute {minute} came from {first_at} to {last_at}"
