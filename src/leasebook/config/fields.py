"""Every setting of the service, declared once: allowed values, meaning, and what the default means."""

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
from leasebook.config.sections.openid import OpenIdSettings
from leasebook.domain.replicas.engine_route import Routes

_DAY: Final = 86_400
_YEAR: Final = 366 * _DAY
_SPAN: Final = r"(?:(?:[1-8]?[1-9]|[1-8]0|90)d|[1-9][0-9]{0,2}h|[1-9][0-9]{0,3}m)"


_ACCOUNTS: Final = r"(|[0-9A-Za-z-]{1,64}( *, *[0-9A-Za-z-]{1,64}){0,99})"


class Settings(OpenIdSettings, frozen=True, kw_only=True):
    """All settings of one service, complete and checked; each field is its declaration."""

    time_zone: Annotated[
        str,
        Declared(
            "time_zone",
            Zone(),
            "The zone in which times without a zone are read, days and months are counted, and times are returned.",
        ),
    ] = "Asia/Shanghai"

    time_output: Annotated[
        Literal["zone", "utc"],
        Declared(
            "time_output",
            OneOf(("zone", "utc")),
            "How times are returned, in answers, events and messages: `zone` in the zone of `time_zone` with its "
            "offset, `utc` in UTC with `Z` at the end, as some samples of the documents have them. Times are read and "
            "counted alike with both.",
        ),
    ] = "zone"

    currency: Annotated[
        str,
        Declared(
            "currency",
            Text("[A-Z]{3}", "a currency code of three capital letters (ISO 4217)"),
            "The currency of every price and balance.",
        ),
    ] = "CNY"

    faults: Annotated[
        Literal["no", "yes"],
        Declared(
            "faults",
            OneOf(("no", "yes")),
            "Whether operators may have this server make faults (`SetFaults`), for tests of programs that call it. "
            "Never on a server that anybody relies on.",
        ),
    ] = "no"

    path_prefix: Annotated[
        str,
        Declared(
            "path_prefix",
            Text(
                r"(?=.{0,100}\Z)(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~-]+)*",
                'nothing, or a path such as "/qianfan" with no slash at its end: at most 100 characters, '
                'between the slashes letters, digits and "._~-"',
            ),
            "The path before `/v2/...` in the address of every call, for a service behind a proxy.",
        ),
    ] = ""

    store: Annotated[
        Secret | None,
        Declared(
            "store",
            SecretText(
                r"(?:postgres(?:ql)?://|sqlite:///)[!-~]{1,1000}", "sqlite:///DIRECTORY or postgresql://HOST/DATABASE"
            ),
            "The store, if `--store` does not name one. Put an address with a password here, because every user of "
            "the machine can read a command line.",
            unset="the embedded store in `--data`",
        ),
    ] = None

    server_body_max_bytes: Annotated[
        int,
        Declared(
            "server.body_max_bytes",
            Whole(1024, 64 << 20, "bytes"),
            "Size limit of a request body; a longer one is refused before it is read.",
        ),
    ] = 1 << 20

    server_drain_seconds: Annotated[
        int,
        Declared(
            "server.drain_seconds",
            Whole(0, 600, "seconds"),
            "How long a stopping server waits for running requests.",
        ),
    ] = 20

    release_lead_min_seconds: Annotated[
        int,
        Declared(
            "release.lead_min_seconds",
            Whole(0, _YEAR, "seconds"),
            "Minimum time between now and a release time.",
        ),
    ] = 0

    release_horizon_max_seconds: Annotated[
        int | None,
        Declared(
            "release.horizon_max_seconds",
            Whole(1, 100 * _YEAR, "seconds"),
            "Maximum time between now and a release time; more than `release.lead_min_seconds`.",
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
            "The balance, in `currency`, that a postpaid purchase needs.",
            unset="the price of the purchase's first hour",
        ),
    ] = None

    retention_days: Annotated[
        int,
        Declared(
            "retention_days",
            Whole(0, 3650, "days"),
            "How long an expired prepaid instance, or a postpaid instance in arrears, stays stopped and keeps its "
            "units before it is released.",
        ),
    ] = 7

    arrears_grace_hours: Annotated[
        int,
        Declared(
            "arrears.grace_hours",
            Whole(0, 8784, "hours"),
            "How long a postpaid instance with an unpaid hour keeps running.",
        ),
    ] = 24

    clock_jump_max_seconds: Annotated[
        int,
        Declared(
            "clock.jump_max_seconds",
            Whole(1, _DAY, "seconds"),
            "Largest step of the store's clock (the machine's, on PostgreSQL the database's) that is followed. A "
            "bigger step, ahead or back, pauses all due work until the clock comes back or an operator confirms it.",
        ),
    ] = 300

    batch_size_max: Annotated[
        int,
        Declared(
            "batch.size_max",
            Whole(1, 1024, "commands"),
            "Maximum number of commands decided and committed together.",
        ),
    ] = 512

    queue_length_max: Annotated[
        int,
        Declared(
            "queue.length_max",
            Whole(1, 1_000_000, "commands"),
            "Maximum number of waiting commands. If the queue is full, a request is answered `Overloaded` and "
            "nothing is done.",
        ),
    ] = 10_000

    due_batch_max: Annotated[
        int | None,
        Declared(
            "due.batch_max",
            Whole(1, 10_000, "rows"),
            "Maximum number of rows of due work in a batch; four times as many while a virtual clock moves, three "
            "times as many on the embedded store while there are no calls.",
            unset="200 on the embedded store, 240 on PostgreSQL",
        ),
    ] = None

    quote_keep_minutes: Annotated[
        int,
        Declared(
            "quote.keep_minutes",
            Whole(1, 1440, "minutes"),
            "How long a held price of QuotePurchase is valid.",
        ),
    ] = 15

    tokens_keep_hours: Annotated[
        int,
        Declared(
            "tokens.keep_hours",
            Whole(48, 8784, "hours"),
            "How long the first answer to a `clientToken` is kept and given again.",
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
            "How long before a release or an expiry a new account gets reminders; SetReminders changes it.",
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
            "The service is not ready while its oldest overdue release is later than this.",
        ),
    ] = 30

    trusted_proxies: Annotated[
        str,
        Declared(
            "trusted_proxies",
            Networks(),
            "The proxies whose `X-Forwarded-For` is believed: the audit log has the last address in it that is not a "
            "proxy's. The header is ignored from all other addresses.",
        ),
    ] = ""

    audit_keep_days: Annotated[
        int,
        Declared(
            "audit.keep_days",
            Whole(0, 36_500, "days"),
            "How long the audit log keeps its entries; signed counts replace older ones. 0: for ever.",
        ),
    ] = 400

    gateway_connect_seconds: Annotated[
        int,
        Declared(
            "gateway.connect_seconds",
            Whole(1, 60, "seconds"),
            "How long a replica may take to accept a connection; after that another one gets the call.",
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
            "How long a body or an answer may pause before the call is broken off.",
        ),
    ] = 300

    gateway_headers_max_bytes: Annotated[
        int,
        Declared(
            "gateway.headers_max_bytes",
            Whole(1024, 1 << 20, "bytes"),
            "Size limit of the headers of a call of a service; a call with more is refused.",
        ),
    ] = 32 * 1024

    gateway_concurrency_max: Annotated[
        int,
        Declared(
            "gateway.concurrency_max",
            Whole(1, 100_000, "calls"),
            "Maximum number of simultaneous calls of a replica through this server.",
        ),
    ] = 256

    engines: Annotated[
        Routes | None,
        Declared(
            "engines",
            EngineRoutes(),
            "Which engine runs the replicas on which offerings. If several rules match, the most specific one "
            "applies: one with a region before one without, a whole type before its beginning. Offerings that no "
            "rule matches are only counted (`instant`).",
            unset="`*=process` on the embedded store, `*=instant` on PostgreSQL",
        ),
    ] = None

    engines_process_units: Annotated[
        dict[str, int] | None,
        Declared(
            "engines_process.units",
            Counts(),
            "How many units of each type the process engine has on this machine.",
            unset="as many as are sold, of every type in the catalogue at the start",
        ),
    ] = None

    engines_ray_address: Annotated[
        str | None,
        Declared(
            "engines_ray.address",
            HostAndPort('host and port, such as "head.example.com:6379"'),
            "The address of the head of the Ray cluster. This machine has to be a node of it.",
            unset="no Ray cluster: no route may name it",
        ),
    ] = None
    engines_ray_serve_port: Annotated[
        int,
        Declared(
            "engines_ray.serve_port", Whole(1, 65535, "ports"), "The port of Ray Serve, if this server starts it."
        ),
    ] = 8000

    create_deadline_minutes: Annotated[
        int,
        Declared(
            "create_deadline_minutes",
            Whole(1, 1440, "minutes"),
            "How long replicas may take to become healthy. After that a new instance fails and is refunded; a "
            "replica of a running instance is started again.",
        ),
    ] = 10

    crash_loop_minutes: Annotated[
        int,
        Declared(
            "crash_loop_minutes",
            Whole(0, 10_080, "minutes"),
            "How long no replica of a service may stay healthy on an instance that is paid, until the event "
            "`replica.crashLoop` reports it. By the service's clock, also a virtual one. 0: it is not reported.",
        ),
    ] = 5

    deadman_minutes: Annotated[
        int,
        Declared(
            "deadman_minutes",
            Whole(1, 10_080, "minutes"),
            "How long after the release time of a postpaid instance its engine ends the replicas by itself, even if "
            "no server is left. Not under a virtual clock.",
        ),
    ] = 5

    reconciler_lease_seconds: Annotated[
        int,
        Declared(
            "reconciler.lease_seconds",
            Whole(2, 600, "seconds"),
            "How long a server or worker may show no sign of life; after that it counts as dead, and others take "
            "over its replicas.",
        ),
    ] = 15

    log_format: Annotated[
        Literal["auto", "json", "console"],
        Declared(
            "log.format",
            OneOf(("auto", "json", "console")),
            "The format of log lines; `auto` is `console` on a terminal and `json` otherwise.",
        ),
    ] = "auto"

    log_level: Annotated[
        Literal["debug", "info", "warning", "error", "critical"],
        Declared(
            "log.level",
            OneOf(("debug", "info", "warning", "error", "critical")),
            "The lowest level that is logged.",
        ),
    ] = "info"

    metrics_accounts: Annotated[
        str,
        Declared(
            "metrics.accounts",
            Text(_ACCOUNTS, "up to 100 ids of accounts with commas between them"),
            "The accounts whose charges of the month and budget are among the [metrics](metrics.md).",
        ),
    ] = ""


def _declarations() -> dict[str, Declared]:
    hints = get_type_hints(Settings, include_extras=True)
    sections = [section for section in Settings.__mro__ if issubclass(section, msgspec.Struct)]
    names = [name for section in sections for name in inspect.get_annotations(section)]
    return {name: hints[name].__metadata__[0] for name in names if name in Settings.__struct_fields__}


DECLARED: Final[Mapping[str, Declared]] = _declarations()
"""The declaration of every attribute of `Settings`, in the order of the reference page."""
