"""Every setting of the service, declared once: what it may be, what it means, and what leaving it out means."""

import inspect
from collections.abc import Mapping
from typing import Annotated, Final, Literal, get_type_hints

import msgspec

from leasebook.config.kinds import (
    Counts,
    Declared,
    EngineRoutes,
    HostAndPort,
    Networks,
    OneOf,
    Origin,
    Secret,
    SecretText,
    Text,
    Whole,
    Zone,
)
from leasebook.config.sections.store import StoreSettings
from leasebook.domain.replicas.engine_route import Routes

_DAY: Final = 86_400
_YEAR: Final = 366 * _DAY
_SPAN: Final = r"(?:(?:[1-8]?[1-9]|[1-8]0|90)d|[1-9][0-9]{0,2}h|[1-9][0-9]{0,3}m)"


class Settings(StoreSettings, frozen=True, kw_only=True):
    """All settings of one service, complete and checked; each field is its declaration."""

    time_zone: Annotated[
        str,
        Declared(
            "time_zone",
            Zone(),
            "The zone in which times without a zone are read, days and months are counted, and times are "
            "returned (decision 1).",
        ),
    ] = "Asia/Shanghai"

    currency: Annotated[
        str,
        Declared(
            "currency",
            Text("[A-Z]{3}", "a currency code of three capital letters (ISO 4217)"),
            "The currency of every price and balance.",
        ),
    ] = "CNY"

    path_prefix: Annotated[
        str,
        Declared(
            "path_prefix",
            Text(
                r"(?=.{0,100}\Z)(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~-]+)*",
                'nothing, or a path such as "/qianfan" with no slash at its end: at most 100 characters, '
                'between the slashes letters, digits and "._~-"',
            ),
            "What stands before `/v2/...` in the address of every call, for a service behind a proxy.",
        ),
    ] = ""

    store: Annotated[
        Secret | None,
        Declared(
            "store",
            SecretText(
                r"(?:postgres(?:ql)?://|sqlite:///)[!-~]{1,1000}", "sqlite:///DIRECTORY or postgresql://HOST/DATABASE"
            ),
            "The store, where `--store` does not name it: an address with a password in it belongs here, since every "
            "user of the machine can read a command line.",
            unset="the embedded store in `--data`",
        ),
    ] = None

    server_body_max_bytes: Annotated[
        int,
        Declared(
            "server.body_max_bytes",
            Whole(1024, 64 << 20, "bytes"),
            "A longer request body is refused before it is read.",
        ),
    ] = 1 << 20

    server_drain_seconds: Annotated[
        int,
        Declared(
            "server.drain_seconds",
            Whole(0, 600, "seconds"),
            "How long a stopping server waits for the requests that it has taken.",
        ),
    ] = 20

    release_lead_min_seconds: Annotated[
        int,
        Declared(
            "release.lead_min_seconds",
            Whole(0, _YEAR, "seconds"),
            "How far ahead of now a release time must lie at least (decision 2).",
        ),
    ] = 0

    release_horizon_max_seconds: Annotated[
        int | None,
        Declared(
            "release.horizon_max_seconds",
            Whole(1, 100 * _YEAR, "seconds"),
            "How far ahead of now a release time may lie at most (decision 2); more than `release.lead_min_seconds`.",
            unset="no bound",
        ),
    ] = None

    postpaid_balance_min: Annotated[
        str | None,
        Declared(
            "postpaid.balance_min",
            Text(
                r"(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,6})?",
                'an amount such as "12.50" (in TOML in quotes), from 0 to 999999999999.999999, '
                "with at most 6 decimal places",
            ),
            "The balance, in `currency`, that a postpaid purchase needs (decision 11).",
            unset="the price of one hour of what is bought",
        ),
    ] = None

    retention_days: Annotated[
        int,
        Declared(
            "retention_days",
            Whole(0, 3650, "days"),
            "How long an expired prepaid unit, or a postpaid unit in arrears, stays stopped with its "
            "capacity kept before it is released (decision 14).",
        ),
    ] = 7

    arrears_grace_hours: Annotated[
        int,
        Declared(
            "arrears.grace_hours",
            Whole(0, 8784, "hours"),
            "How long a postpaid unit with an unpaid hour goes on running (decision 14).",
        ),
    ] = 24

    clock_jump_max_seconds: Annotated[
        int,
        Declared(
            "clock.jump_max_seconds",
            Whole(1, _DAY, "seconds"),
            "A clock of the store (the machine's, on PostgreSQL the database's) that is set ahead or back by more than "
            "this is not followed, and holds all due work until it comes back or is confirmed (decision 6a).",
        ),
    ] = 300

    batch_size_max: Annotated[
        int,
        Declared(
            "batch.size_max",
            Whole(1, 1024, "commands"),
            "How many commands are decided and committed together at most.",
        ),
    ] = 512

    queue_length_max: Annotated[
        int,
        Declared(
            "queue.length_max",
            Whole(1, 1_000_000, "commands"),
            "With so many commands waiting, the next request is answered `Overloaded` and nothing is done "
            "(decision 19).",
        ),
    ] = 10_000

    due_batch_max: Annotated[
        int | None,
        Declared(
            "due.batch_max",
            Whole(1, 10_000, "rows"),
            "Rows of due work taken at a time at most; four times as many while a virtual clock moves, three times as "
            "many on the embedded store while nobody calls.",
            unset="200 on the embedded store, 240 on PostgreSQL",
        ),
    ] = None

    quote_keep_minutes: Annotated[
        int,
        Declared(
            "quote.keep_minutes",
            Whole(1, 1440, "minutes"),
            "How long a price is held that QuotePurchase was asked to hold.",
        ),
    ] = 15

    tokens_keep_hours: Annotated[
        int,
        Declared(
            "tokens.keep_hours",
            Whole(48, 8784, "hours"),
            "How long the first answer to a `clientToken` is kept and given again (decision 10).",
        ),
    ] = 48

    reminders_before: Annotated[
        str,
        Declared(
            "reminders.before",
            Text(
                rf"none|{_SPAN}(?:,{_SPAN}){{0,7}}",
                '"none", or up to eight times before the end such as "1d,1h,30m": '
                "at most 90 days, 999 hours or 9999 minutes each",
            ),
            "How long before a release or an expiry new accounts are reminded of it; SetReminders changes it.",
        ),
    ] = "1d,1h"

    public_url: Annotated[
        str | None,
        Declared(
            "public_url",
            Origin('the address of this service without any path, such as "https://units.example.com"'),
            "Where callers reach this server: links in reminders and the `url` of a service begin with it and "
            "`path_prefix`.",
            unset="links are paths without a host, and a service's `url` has the address that the caller used",
        ),
    ] = None

    readiness_lateness_max_seconds: Annotated[
        int,
        Declared(
            "readiness.lateness_max_seconds",
            Whole(1, _DAY, "seconds"),
            "The service reports itself not ready while its oldest overdue release is older than this.",
        ),
    ] = 30

    trusted_proxies: Annotated[
        str,
        Declared(
            "trusted_proxies",
            Networks(),
            "The proxies whose `X-Forwarded-For` is believed: the audit log has the last address in it that is "
            "none of theirs. Everybody else's is ignored.",
        ),
    ] = ""

    audit_keep_days: Annotated[
        int,
        Declared(
            "audit.keep_days",
            Whole(0, 36_500, "days"),
            "How long the audit log keeps what was called; then signed counts stand for it. 0: for ever.",
        ),
    ] = 400

    gateway_connect_seconds: Annotated[
        int,
        Declared(
            "gateway.connect_seconds",
            Whole(1, 60, "seconds"),
            "How long a replica may take to accept a connection; then another one gets the call.",
        ),
    ] = 5

    gateway_first_byte_seconds: Annotated[
        int,
        Declared(
            "gateway.first_byte_seconds",
            Whole(1, 3600, "seconds"),
            "How long a replica may take to begin its answer, counted from the last piece of the call's body.",
        ),
    ] = 300

    gateway_idle_seconds: Annotated[
        int,
        Declared(
            "gateway.idle_seconds",
            Whole(1, 3600, "seconds"),
            "How long a body or an answer may stand still before the call is broken off.",
        ),
    ] = 300

    gateway_headers_max_bytes: Annotated[
        int,
        Declared(
            "gateway.headers_max_bytes",
            Whole(1024, 1 << 20, "bytes"),
            "A call of a service with more bytes of headers is refused.",
        ),
    ] = 32 * 1024

    gateway_concurrency_max: Annotated[
        int,
        Declared(
            "gateway.concurrency_max",
            Whole(1, 100_000, "calls"),
            "How many calls a replica has at once at most, of those that come through this server.",
        ),
    ] = 256

    engines: Annotated[
        Routes | None,
        Declared(
            "engines",
            EngineRoutes(),
            "Which engine runs the replicas on which offerings. Of the rules that fit, the one that says most counts: "
            "a region before none, a whole type before its beginning. What no rule fits is only counted (`instant`).",
            unset="`*=process` on the embedded store, `*=instant` on PostgreSQL",
        ),
    ] = None

    engines_process_units: Annotated[
        dict[str, int] | None,
        Declared(
            "engines_process.units",
            Counts(),
            "How many units of each type the process engine has on this machine.",
            unset="as many as are sold, of every type that is in the catalogue at the start",
        ),
    ] = None

    engines_ray_address: Annotated[
        str | None,
        Declared(
            "engines_ray.address",
            HostAndPort('host and port, such as "head.example.com:6379"'),
            "Where the head of the Ray cluster is. This machine has to be a node of it.",
            unset="no Ray cluster: no route may name it",
        ),
    ] = None
    engines_ray_serve_port: Annotated[
        int,
        Declared(
            "engines_ray.serve_port", Whole(1, 65535, "ports"), "Where Ray Serve listens if it is started from here."
        ),
    ] = 8000

    create_deadline_minutes: Annotated[
        int,
        Declared(
            "create_deadline_minutes",
            Whole(1, 1440, "minutes"),
            "How long replicas may take to become healthy. A new instance fails after that and is given back; a "
            "replica of one that runs is started again.",
        ),
    ] = 10

    deadman_minutes: Annotated[
        int,
        Declared(
            "deadman_minutes",
            Whole(1, 10_080, "minutes"),
            "How long after the release time of a postpaid instance its engine ends the replicas by itself, even where "
            "no server is left to say so. Not under a virtual clock.",
        ),
    ] = 5

    reconciler_lease_seconds: Annotated[
        int,
        Declared(
            "reconciler.lease_seconds",
            Whole(2, 600, "seconds"),
            "A server or worker that gives no sign of life for so long is dead, and others look after its replicas.",
        ),
    ] = 15

    log_format: Annotated[
        Literal["auto", "json", "console"],
        Declared(
            "log.format",
            OneOf(("auto", "json", "console")),
            "How log lines look; `auto` is `console` on a terminal and `json` everywhere else.",
        ),
    ] = "auto"

    log_level: Annotated[
        Literal["debug", "info", "warning", "error", "critical"],
        Declared(
            "log.level",
            OneOf(("debug", "info", "warning", "error", "critical")),
            "The least level that is logged.",
        ),
    ] = "info"


def _declarations() -> dict[str, Declared]:
    hints = get_type_hints(Settings, include_extras=True)
    sections = [section for section in Settings.__mro__ if issubclass(section, msgspec.Struct)]
    names = [name for section in sections for name in inspect.get_annotations(section)]
    return {name: hints[name].__metadata__[0] for name in names if name in Settings.__struct_fields__}


DECLARED: Final[Mapping[str, Declared]] = _declarations()
"""The declaration of every attribute of `Settings`, in the order of the reference page."""
