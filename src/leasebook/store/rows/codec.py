"""The conversion of the book's rows to columns, and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import compress
from operator import itemgetter
from typing import Any, Final, Generic, TypeVar

import msgspec

from leasebook.domain.book.tables import (
    ACCESS_KEYS,
    ACCOUNT_LIMITS,
    ACCOUNT_PLACES,
    ACCOUNTS,
    APPROVALS,
    COST_GROUPS,
    COST_PERIODS,
    DELIVERIES,
    DELIVERY_QUEUES,
    DEVICE_LOGINS,
    ENGINE_CAPACITIES,
    FORMER_NONCES,
    FORMER_TAGS,
    IDEMPOTENCY_RECORDS,
    INSTANCES,
    LEASES,
    METADATA,
    MODEL_SETS,
    MODELS,
    NONCE_PAGES,
    NOTICE_RATES,
    OFFERINGS,
    PASSWORDS,
    PRICES,
    PROJECTS,
    QUOTES,
    REFUSED_CALLS,
    REPLICAS,
    RESOURCE_TAGS,
    SERVICE_KEYS,
    SERVICE_USAGE,
    SERVICES,
    SPENT_SIGN_INS,
    SUBSCRIPTIONS,
    TABLES,
    TOKEN_PACKAGES,
    USED_LINKS,
    USERS,
    WORKERS,
    Table,
)
from leasebook.domain.costs.rows import Sums
from leasebook.domain.model.account import OpenIdIdentity, ProjectPolicy
from leasebook.domain.model.engine_capacity import CapacityReport, TypeCapacity
from leasebook.domain.model.instance import Placement
from leasebook.domain.model.limits import GuardRules, ProjectRules
from leasebook.domain.model.offering import PriceChange
from leasebook.domain.model.replica import RunSpec
from leasebook.domain.model.resource.tag_budget import TagAmounts, TagPercents
from leasebook.domain.model.service import LogStore
from leasebook.domain.model.usage import MinuteCount
from leasebook.domain.record.agenda import first_due
from leasebook.domain.record.audit_log import AuditPage, PruneReceipt, Sealed
from leasebook.domain.record.event import Event, EventPage
from leasebook.domain.record.ledger import Order, Posting
from leasebook.domain.values.money import Micro
from leasebook.domain.values.tag_policy import TagPolicy
from leasebook.store.rows.packing import packed, unpacked

R = TypeVar("R", bound=msgspec.Struct)


class Codec(Generic[R]):
    """The columns of a kind of row: its fields, by the same names and in the same order.

    Most fields are stored unchanged, so that writing a row is one call; ``to_column`` and ``to_field`` name the few
    that need a conversion. ``derived`` are further columns, which are written with the fields and never read back:
    ``derive`` computes them from a row.
    """

    def __init__(
        self,
        name: str,
        row: type[R],
        key: Sequence[str] = (),
        *,
        to_column: dict[str, Callable[[Any], Any]] | None = None,
        to_field: dict[str, Callable[[Any], Any]] | None = None,
        mutable: Sequence[str] = (),
        derived: Sequence[str] = (),
        derive: Callable[[R], tuple[Any, ...]] | None = None,
    ) -> None:
        self.name: Final = name
        self.row: Final = row
        self.key: Final = tuple(key)
        self.columns: Final = tuple(field.name for field in msgspec.structs.fields(row))
        self.written: Final = (*self.columns, *derived)
        """The columns of a new row: the fields, and then those derived from them."""
        self.mutable: Final = (*mutable, *derived)
        self._to_column = [(self.columns.index(field), call) for field, call in (to_column or {}).items()]
        self._to_field = [(self.columns.index(field), call) for field, call in (to_field or {}).items()]
        self._derive = derive
        places = [self.written.index(column) for column in (*self.mutable, *key)]
        self._may_change: Callable[[Sequence[Any]], tuple[Any, ...]] = itemgetter(*places) if mutable else tuple
        calls = dict(self._to_column)
        self._update_calls = [
            (place, calls[index]) for place, index in enumerate(places[: len(self.mutable)]) if index in calls
        ]

    def _fields(self, row: R) -> tuple[Any, ...]:
        """Return a row's fields, and the columns derived from them."""
        fields = msgspec.structs.astuple(row)
        return fields if self._derive is None else (*fields, *self._derive(row))

    def values(self, row: R) -> tuple[Any, ...]:
        """Return the columns of a new row (``written``)."""
        values = self._fields(row)
        if not self._to_column:
            return values
        changed = list(values)
        for index, call in self._to_column:
            changed[index] = call(changed[index])
        return tuple(changed)

    def may_change(self, row: R) -> tuple[Any, ...]:
        """Return what may change (``mutable``), then the key, before conversion: enough to detect changes."""
        return self._may_change(self._fields(row))

    def changed_values(self, fields: tuple[Any, ...], changed: tuple[bool, ...]) -> tuple[Any, ...]:
        """Return the changed fields among those of ``may_change`` as columns, then the key."""
        values: Sequence[Any] = fields
        calls = [(place, call) for place, call in self._update_calls if changed[place]]
        if calls:
            values = list(fields)
            for place, call in calls:
                values[place] = call(values[place])
        return (*compress(values, changed), *values[len(self.mutable) :])

    def read(self, columns: Sequence[Any]) -> R:
        """Return the row of these columns."""
        if not self._to_field:
            return self.row(*columns)
        fields = list(columns)
        for index, call in self._to_field:
            fields[index] = call(fields[index])
        return self.row(*fields)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


_changes = msgspec.json.Decoder(tuple[PriceChange, ...]).decode
_names = msgspec.json.Decoder(tuple[str, ...]).decode
_scopes = msgspec.json.Decoder(tuple[ProjectPolicy, ...]).decode
_read_events = msgspec.json.Decoder(tuple[Event, ...]).decode
_write_events = msgspec.json.Encoder().encode


def _events(stored: bytes | str) -> tuple[Event, ...]:
    return _read_events(unpacked(stored))


def _packed_events(events: tuple[Event, ...]) -> bytes:
    return packed(_write_events(events))


_numbers = msgspec.json.Decoder(tuple[int, ...]).decode


def _written_numbers(numbers: tuple[int, ...]) -> str:
    return _json(numbers) if numbers else ""


def _read_numbers(text: str) -> tuple[int, ...]:
    return _numbers(text) if text else ()


def _written_names(names: tuple[str, ...]) -> str:
    return _json(names) if names else ""


def _read_names(text: str) -> tuple[str, ...]:
    return _names(text) if text else ()


_placements = msgspec.json.Decoder(tuple[Placement, ...]).decode


def _written_placements(placements: tuple[Placement, ...]) -> str:
    return _json(placements) if placements else ""


def _read_placements(text: str) -> tuple[Placement, ...]:
    return _placements(text) if text else ()


def _written_sums(sums: dict[str, Sums]) -> str:
    # Numbers in words: the sum of amounts of 64 bits may need more.
    return " ".join(f"{group}:{billed}:{spread}" for group, (billed, spread) in sorted(sums.items()))


def _read_sums(text: str) -> dict[str, Sums]:
    words = text.replace(":", " ").split()
    return dict(zip(words[::3], map(Sums, map(int, words[1::3]), map(int, words[2::3])), strict=True))


_tags = msgspec.json.Decoder(dict[str, str]).decode
_minutes = msgspec.json.Decoder(tuple[MinuteCount, ...]).decode


def _written_minutes(minutes: tuple[MinuteCount, ...]) -> str:
    return _json(minutes) if minutes else ""


def _read_minutes(text: str) -> tuple[MinuteCount, ...]:
    return _minutes(text) if text else ()


def _written_or_none(value: Any) -> str | None:
    return None if value is None else _json(value)


def _reads_or_none(kind: Any) -> Callable[[str | None], Any]:
    decode = msgspec.json.Decoder(kind).decode
    return lambda text: None if text is None else decode(text)


def _bytes_or_none(value: Any) -> bytes | None:
    return None if value is None else bytes(value)


UNIT_FIXED: Final = frozenset(
    {"id", "account_id", "created_by", "order_id", "service_id", "region", "type", "created_at", "kind"}
)
UNIT_MUTABLE: Final = tuple(
    field.name for field in msgspec.structs.fields(INSTANCES.row) if field.name not in UNIT_FIXED
)
SERVICE_MUTABLE: Final = (
    *("model_set_id", "model_id", "replicas", "deploying", "prepaid_units", "postpaid_units", "active", "runs"),
    *("ready", "deleted_at", "log_store", "project_id"),
)

APPROVAL_MUTABLE: Final = (
    *("remind_at", "status", "reminded_at", "decided_by", "decided_at", "reason", "order_id", "unit_id", "service_id"),
)
REPLICA_FIXED: Final = frozenset({"unit_id", "service_id", "number", "account_id"})
PASSWORD_MUTABLE: Final = ("user_id", "hash", "changed_at", "totp", "totp_step", "recovery", "by_operator")
REPLICA_MUTABLE: Final = tuple(
    field.name for field in msgspec.structs.fields(REPLICAS.row) if field.name not in REPLICA_FIXED
)

CODECS: Final[dict[Table[Any], Codec[Any]]] = {
    table: Codec(table.name, table.row, table.key, **options)
    for table, options in (
        (
            IDEMPOTENCY_RECORDS,
            {"to_field": {"refused": bool, "answer": bytes}, "mutable": ("digest", "refused", "answer")},
        ),
        (
            INSTANCES,
            {
                "to_column": {"placements": _written_placements, "remind_before_us": _written_numbers},
                "to_field": {
                    "auto_renew": bool,
                    "placements": _read_placements,
                    "remind_before_us": _read_numbers,
                },
                "mutable": UNIT_MUTABLE,
                "derived": ("due_at", "due_kind"),
                "derive": first_due,
            },
        ),
        (
            SERVICES,
            {
                "to_column": {"log_store": _written_or_none},
                "to_field": {"active": bool, "runs": bool, "log_store": _reads_or_none(LogStore)},
                "mutable": SERVICE_MUTABLE,
            },
        ),
        (
            MODEL_SETS,
            {
                "to_column": {"labels": _written_names},
                "to_field": {"labels": _read_names},
                "mutable": ("deleted_at", "made", "models", "modified_at"),
            },
        ),
        (
            MODELS,
            {
                "to_column": {"run": _json},
                "to_field": {"run": msgspec.json.Decoder(RunSpec).decode},
                "mutable": ("deleted_at", "services", "approved_by", "approved_at", "withdrawn_at"),
            },
        ),
        (QUOTES, {"mutable": ("used_by",)}),
        (
            APPROVALS,
            {
                "to_field": {"self_approval": bool},
                "mutable": APPROVAL_MUTABLE,
                "derived": ("due_at",),
                "derive": lambda row: (row.due_at,),
            },
        ),
        (
            SERVICE_USAGE,
            {
                "to_column": {"minutes": _written_minutes},
                "to_field": {"minutes": _read_minutes},
                "mutable": ("input_tokens", "output_tokens", "succeeded", "failed", "minutes"),
            },
        ),
        (TOKEN_PACKAGES, {"mutable": ("used", "project_id")}),
        (
            ENGINE_CAPACITIES,
            {
                "to_column": dict.fromkeys(("words", "stocks"), _json),
                "to_field": {
                    "words": msgspec.json.Decoder(tuple[CapacityReport, ...]).decode,
                    "stocks": msgspec.json.Decoder(dict[str, TypeCapacity]).decode,
                },
                "mutable": ("told_to", "words", "stocks"),
            },
        ),
        (
            OFFERINGS,
            {
                "mutable": (
                    "per_minute",
                    "per_month",
                    "stock_total",
                    "stock_free",
                    "stock_source",
                    "oversold",
                    "price_number",
                    "closed_at",
                    "no_renewals",
                    "removed_at",
                ),
                "to_field": {"no_renewals": bool},
            },
        ),
        (
            PRICES,
            {"to_column": {"changes": _json}, "to_field": {"changes": _changes}, "mutable": ("changes",)},
        ),
        (
            ACCOUNTS,
            {
                "to_column": {"remind_before_us": _written_numbers, "tag_policy": _written_or_none},
                "to_field": {"remind_before_us": _read_numbers, "tag_policy": _reads_or_none(TagPolicy)},
                "mutable": (
                    *("balance", "arrears_since", "remind_before_us", "name", "status", "status_reason", "tag_policy"),
                ),
            },
        ),
        (
            USERS,
            {
                "to_column": {
                    "policies": _json,
                    "requires": _written_names,
                    "project_policies": _json,
                    "openid": _written_or_none,
                },
                "to_field": {
                    "policies": _names,
                    "requires": _read_names,
                    "is_root": bool,
                    "project_policies": _scopes,
                    "openid": _reads_or_none(OpenIdIdentity),
                },
                "mutable": (
                    *("name", "policies", "requires", "email", "language", "deleted_at", "project_policies", "openid"),
                ),
            },
        ),
        (
            ACCESS_KEYS,
            {
                "to_column": {"requires": _written_names},
                "to_field": {"sealed": bytes, "requires": _read_names, "from_environment": bool, "by_operator": bool},
                "mutable": ("sealed", "status", "requires", "from_environment"),
            },
        ),
        (FORMER_NONCES, {}),
        (NONCE_PAGES, {"to_field": {"digests": bytes}, "mutable": ("digests",)}),
        (
            REFUSED_CALLS,
            {
                "to_column": {"codes": _json},
                "to_field": {"codes": msgspec.json.Decoder(dict[str, int]).decode},
                "mutable": ("calls", "codes", "last_at"),
            },
        ),
        (
            ACCOUNT_LIMITS,
            {
                "to_column": {
                    **dict.fromkeys(("rules", "held", "spent", "crossed", "tag_crossed"), _json),
                    **dict.fromkeys(("project_units", "project_spent", "project_crossed", "tag_spent"), _json),
                    "project_rules": _written_or_none,
                },
                "to_field": {
                    "rules": msgspec.json.Decoder(GuardRules).decode,
                    "held": msgspec.json.Decoder(dict[str, dict[str, int]]).decode,
                    "spent": msgspec.json.Decoder(dict[str, Micro]).decode,
                    "crossed": msgspec.json.Decoder(tuple[int, ...]).decode,
                    "project_rules": _reads_or_none(dict[str, ProjectRules]),
                    "project_units": msgspec.json.Decoder(dict[str, dict[str, int]]).decode,
                    "project_spent": msgspec.json.Decoder(dict[str, Micro]).decode,
                    "project_crossed": msgspec.json.Decoder(dict[str, tuple[int, ...]]).decode,
                    "tag_spent": msgspec.json.Decoder(TagAmounts).decode,
                    "tag_crossed": msgspec.json.Decoder(TagPercents).decode,
                },
                "mutable": (
                    *("rules", "held", "month", "spent", "crossed", "waiting"),
                    *("project_rules", "project_units", "project_spent", "project_crossed", "tag_spent", "tag_crossed"),
                ),
            },
        ),
        (SERVICE_KEYS, {"mutable": ("status",)}),
        (PROJECTS, {"mutable": ("name", "description", "status", "closed_at")}),
        (
            RESOURCE_TAGS,
            {
                "to_column": {"tags": _json},
                "to_field": {"tags": msgspec.json.Decoder(dict[str, str]).decode},
                "mutable": ("name", "tags", "changed_at"),
            },
        ),
        (FORMER_TAGS, {"to_column": {"tags": _json}, "to_field": {"tags": _tags}}),
        (COST_GROUPS, {"to_column": {"tags": _json}, "to_field": {"tags": _tags, "rest": bool}}),
        (
            COST_PERIODS,
            {"to_column": {"sums": _written_sums}, "to_field": {"sums": _read_sums}, "mutable": ("sums",)},
        ),
        (METADATA, {"mutable": ("value",)}),
        (
            SUBSCRIPTIONS,
            {
                "to_column": {"types": _json, "accounts": _json},
                "to_field": {"types": _names, "sealed": bytes, "sealed_before": bytes, "accounts": _names},
                "mutable": (
                    *("created_by", "target", "sealed", "types", "status", "since", "page"),
                    *("sealed_before", "before_until", "reason", "tests", "sealed_at", "confirms", "confirm_until"),
                ),
            },
        ),
        (ACCOUNT_PLACES, {"mutable": ("page",)}),
        (DELIVERY_QUEUES, {"mutable": ("waiting", "next_at", "holder", "leased_until")}),
        (
            DELIVERIES,
            {"mutable": ("since", "state", "attempts", "next_at", "status", "failure", "done_at", "clear_at")},
        ),
        (USED_LINKS, {}),
        (SPENT_SIGN_INS, {}),
        (DEVICE_LOGINS, {"mutable": ("status", "account_id", "user_id", "decided_at", "access_key_id")}),
        (
            PASSWORDS,
            {
                "to_column": {"recovery": _written_names},
                "to_field": {"totp": _bytes_or_none, "recovery": _read_names, "by_operator": bool},
                "mutable": PASSWORD_MUTABLE,
            },
        ),
        (NOTICE_RATES, {"mutable": ("free_at",)}),
        (WORKERS, {"mutable": ("beat", "keys", "engines")}),
        (LEASES, {"mutable": ("holder", "node", "since")}),
        (
            REPLICAS,
            {"to_column": {"devices": _json}, "to_field": {"devices": _names}, "mutable": REPLICA_MUTABLE},
        ),
    )
}
ORDERS: Final = Codec("orders", Order)
POSTINGS: Final = Codec("postings", Posting)
EVENTS: Final = Codec("event_pages", EventPage, to_column={"events": _packed_events}, to_field={"events": _events})
AUDIT_PAGES: Final = Codec(
    "audit_pages", AuditPage, to_column={"body": packed}, to_field={"hash": bytes, "body": unpacked}
)
AUDIT_CHAINS: Final = Codec("audit_chains", Sealed, ("chain",), to_field={"hash": bytes, "seal": bytes})
AUDIT_CLOSURES: Final = Codec(
    "audit_closures",
    PruneReceipt,
    to_column={"counts": _json},
    to_field={
        "counts": msgspec.json.Decoder(dict[str, int]).decode,
        **dict.fromkeys(("hash_before", "hash_after", "signature"), bytes),
    },
)

assert set(CODECS) == set(TABLES)  # noqa: S101 - a table without columns could never be saved
