"""The columns that ``check`` cannot verify, and the reason for each: no other record has their values.

Every value must still fit its column, and damage to a page or an index of the database is found there too.
"""

from __future__ import annotations

from typing import Final

_NUMBER: Final = "a row's number says only where it stands in lists"
_PRESENCE: Final = "processes say anew within seconds who works, on what, and since when"
_ATTEMPTS: Final = "what came of an attempt to deliver is known to the receiver only, and is forgotten after a while"
_SEEN: Final = "what an engine was last seen to have, and it is asked again within seconds"

UNPROVED: Final[dict[str, str]] = {
    "access_keys.used_at": "when a key was used last is written down outside of batches, to the second",
    "audit_chains.last_at": "it only orders chains in lists",
    **{f"audit_pages.{name}": "the time of a page without entries is nobody's" for name in ("first_at", "last_at")},
    **{
        f"{table}.seq": _NUMBER
        for table in (
            *("audit_closures", "audit_pages", "event_pages", "model_sets", "models", "order_rows", "packages"),
            *("posting_rows", "refused_calls", "service_keys", "services", "units"),
        )
    },
    **{f"workers.{name}": _PRESENCE for name in ("id", "node", "beat", "started_at", "keys", "engines")},
    **{f"leases.{name}": _PRESENCE for name in ("unit_id", "holder", "node", "since")},
    **{
        f"deliveries.{name}": _ATTEMPTS
        for name in ("since", "attempts", "next_at", "status", "failure", "done_at", "clear_at")
    },
    **{f"lanes.{name}": _ATTEMPTS for name in ("next_at", "holder", "leased_until")},
    "notice_rates.name": "how often a link may be asked for is forgotten within minutes",
    "notice_rates.free_at": "how often a link may be asked for is forgotten within minutes",
    **{
        f"replicas.{name}": _SEEN
        for name in (
            *("number", "engine", "node", "units", "generation", "state", "since", "address", "devices", "reason"),
            *("trouble", "restarts", "not_before", "deadline", "outage", "down_since"),
        )
    },
    "accounts.arrears_since": "the day on which a debt began; whether there is one is proved",
    "account_numbers.seq": "of an account without postings: they are the only other rows that have its number",
    "guards.month": "where nothing was spent it says nothing",
    "hooks.page": "how far a subscription came: deliveries that are done are forgotten",
    "facts.value": "of when the store was founded, and of the number of its changes of rights, nothing else tells",
    "posting_rows.at": "within the last minute that an hourly charge is for",
    "posting_rows.since": "within the minute, of an instance that stood still in between",
    "tag_lists.first": "it only tells the lists of one tag apart, and the numbers on them are proved",
    "supplies.words": _SEEN,
    "supplies.stocks": _SEEN,
    "units.metered_minutes": "of an instance that ended standing still: its meter is over, and its charges are proved",
    "units.metered_peak": "of an instance that ended standing still: its meter is over, and its charges are proved",
    "units.stop_at": "when an unpaid instance stops hangs on a setting; that it is done then is proved",
    "units.retire_at": "when a stopped instance is released hangs on a setting; that it is done then is proved",
    "units.failure": "why an instance cannot begin to run is in its row only; what failed in the end is told by events",
    "units.remind_before_us": "how long before an end the later reminders are due; the next one is proved",
}
"""By table and column: the reason.

There are further gaps. A row that is put back to a former state has a digest, too. Rows that an earlier version wrote,
and rows whose pages of the audit log are removed, have no digest, so only what other rows record about them is
verified. And a row of a table from which rows are deleted (``tokens``, ``nonces``, ``nonce_pages``, ``deliveries``) may
be missing.
"""
