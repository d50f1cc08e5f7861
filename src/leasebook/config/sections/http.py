"""The settings about connections, and what a stranger may send."""

from pathlib import Path
from typing import Annotated

from leasebook.config.kinds import Declared, FilePath, Host, Whole
from leasebook.config.sections.tenants import TenantSettings


class HttpSettings(TenantSettings, frozen=True, kw_only=True):
    """Settings about connections, and what a stranger may send; each field is its declaration."""

    http_head_seconds: Annotated[
        int,
        Declared(
            "http.head_seconds",
            Whole(1, 600, "seconds"),
            "How long the head of a request may take, from the beginning of its connection or from its first byte; "
            "and a TLS handshake.",
        ),
    ] = 10

    http_body_seconds: Annotated[
        int,
        Declared(
            "http.body_seconds",
            Whole(1, 600, "seconds"),
            "How long a body may come more slowly than `http.body_bytes_per_second`.",
        ),
    ] = 10

    http_body_bytes_per_second: Annotated[
        int,
        Declared(
            "http.body_bytes_per_second",
            Whole(1, 1 << 30, "bytes"),
            "How fast a body must come at least.",
        ),
    ] = 1024

    http_bodies_max_bytes: Annotated[
        int,
        Declared(
            "http.bodies_max_bytes",
            Whole(16_384, 1 << 40, "bytes"),
            "How much memory the bodies of calls take together, from when they are read to the answer. Whoever comes "
            "when there is no room waits `http.body_seconds` for some; one account has at most half. Bodies up to 16 "
            "KiB need none.",
        ),
    ] = 64 << 20

    http_idle_seconds: Annotated[
        int,
        Declared(
            "http.idle_seconds",
            Whole(1, 3600, "seconds"),
            "How long a connection is kept without a request: longer than clients and load balancers keep one.",
        ),
    ] = 75

    http_write_seconds: Annotated[
        int,
        Declared(
            "http.write_seconds",
            Whole(1, 3600, "seconds"),
            "How long a caller may take nothing of the answer that is sent to it.",
        ),
    ] = 60

    http_connections_max: Annotated[
        int | None,
        Declared(
            "http.connections_max",
            Whole(1, 1_000_000, "connections"),
            "How many connections are open at once.",
            unset="half of what the limit of open files leaves beside what is kept, at most 10000",
        ),
    ] = None

    http_connections_per_address_max: Annotated[
        int | None,
        Declared(
            "http.connections_per_address_max",
            Whole(1, 1_000_000, "connections"),
            "How many of them one address has at most (of IPv6 a /64); those of `trusted_proxies` are not bounded so.",
            unset="1024, at most half of all",
        ),
    ] = None

    tls_cert_file: Annotated[
        Path | None,
        Declared(
            "tls.cert_file",
            FilePath(),
            "The certificate to serve TLS with, in PEM, with those between it and its root; needs `tls.key_file`. "
            "Read again on SIGHUP.",
            unset="plain HTTP",
        ),
    ] = None

    tls_key_file: Annotated[
        Path | None,
        Declared(
            "tls.key_file",
            FilePath(),
            "The key of `tls.cert_file`, in PEM and without a password; no right for others, e.g. mode 0600.",
            unset="plain HTTP",
        ),
    ] = None

    admin_port: Annotated[
        int | None,
        Declared(
            "admin.port",
            Whole(0, 65535, "the port (0: any free one)"),
            "A second port, for operators: `/metrics`, `/readyz` with its reasons, `/healthz`, `/debug/tasks` and "
            "`/debug/memory`. With it, `/metrics` and the reasons are not shown at the first port.",
            unset="monitors ask at the first port",
        ),
    ] = None

    admin_host: Annotated[
        str,
        Declared(
            "admin.host",
            Host("an address or a name of this machine"),
            "Where the second port is listened on. Whoever reaches it reads everything there.",
        ),
    ] = "127.0.0.1"

    # --- WebSockets of services ---------------------------------------------------------------------------------

    gateway_socket_idle_seconds: Annotated[
        int,
        Declared(
            "gateway.socket_idle_seconds",
            Whole(1, 86_400, "seconds"),
            "How long nothing may pass on a WebSocket of a service, pings included, before it is closed (1001).",
        ),
    ] = 300

    gateway_socket_message_max_bytes: Annotated[
        int,
        Declared(
            "gateway.socket_message_max_bytes",
            Whole(1024, 1 << 30, "bytes"),
            "A WebSocket on which a longer message comes, as it is sent, from either end is closed (1009).",
        ),
    ] = 16 << 20

    gateway_sockets_per_key_max: Annotated[
        int,
        Declared(
            "gateway.sockets_per_key_max",
            Whole(1, 100_000, "WebSockets"),
            "How many WebSockets a service key has open at once at most, through one server.",
        ),
    ] = 256

    gateway_sockets_per_account_max: Annotated[
        int,
        Declared(
            "gateway.sockets_per_account_max",
            Whole(1, 100_000, "WebSockets"),
            "How many WebSockets the service keys of an account have open at once at most, through one server.",
        ),
    ] = 1024
