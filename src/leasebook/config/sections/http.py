"""The settings of connections, and the bounds for unauthenticated clients."""

from pathlib import Path
from typing import Annotated

from leasebook.config.kinds import Declared, FilePath, Host, Whole
from leasebook.config.sections.costs import CostSettings


class HttpSettings(CostSettings, frozen=True, kw_only=True):
    """Settings of connections, and bounds for unauthenticated clients; each field is its declaration."""

    http_head_seconds: Annotated[
        int,
        Declared(
            "http.head_seconds",
            Whole(1, 600, "seconds"),
            "Time limit of the head of a request, from the beginning of its connection or from its first byte; and "
            "of a TLS handshake.",
        ),
    ] = 10

    http_body_seconds: Annotated[
        int,
        Declared(
            "http.body_seconds",
            Whole(1, 600, "seconds"),
            "How long a body may arrive more slowly than `http.body_bytes_per_second`.",
        ),
    ] = 10

    http_body_bytes_per_second: Annotated[
        int,
        Declared(
            "http.body_bytes_per_second",
            Whole(1, 1 << 30, "bytes"),
            "Minimum rate of a body, in bytes a second.",
        ),
    ] = 1024

    http_bodies_max_bytes: Annotated[
        int,
        Declared(
            "http.bodies_max_bytes",
            Whole(16_384, 1 << 40, "bytes"),
            "Memory for the bodies of all calls, and for the forms of the console, from reading to the answer. If "
            "there is no room, a call waits up to `http.body_seconds` for it; one account gets at most half. Bodies up "
            "to 16 KiB do not count.",
        ),
    ] = 64 << 20

    http_idle_seconds: Annotated[
        int,
        Declared(
            "http.idle_seconds",
            Whole(1, 3600, "seconds"),
            "How long a connection is kept without a request. Set it longer than clients and load balancers keep "
            "theirs.",
        ),
    ] = 75

    http_write_seconds: Annotated[
        int,
        Declared(
            "http.write_seconds",
            Whole(1, 3600, "seconds"),
            "How long a caller may read nothing of its answer before it is cut off.",
        ),
    ] = 60

    http_connections_max: Annotated[
        int | None,
        Declared(
            "http.connections_max",
            Whole(1, 1_000_000, "connections"),
            "Maximum number of open connections.",
            unset="half of the open files that are left beside the reserved ones, at most 10000",
        ),
    ] = None

    http_connections_per_address_max: Annotated[
        int | None,
        Declared(
            "http.connections_per_address_max",
            Whole(1, 1_000_000, "connections"),
            "Maximum number of connections of one address (a /64 for IPv6); it does not apply to `trusted_proxies`.",
            unset="1024, at most half of all",
        ),
    ] = None

    tls_cert_file: Annotated[
        Path | None,
        Declared(
            "tls.cert_file",
            FilePath(),
            "The TLS certificate in PEM, followed by its intermediate certificates; needs `tls.key_file`. Read again "
            "on SIGHUP.",
            unset="plain HTTP",
        ),
    ] = None

    tls_key_file: Annotated[
        Path | None,
        Declared(
            "tls.key_file",
            FilePath(),
            "The key of `tls.cert_file`, in PEM and without a password; others may have no access, e.g. mode 0600.",
            unset="plain HTTP",
        ),
    ] = None

    admin_port: Annotated[
        int | None,
        Declared(
            "admin.port",
            Whole(0, 65535, "the port (0: any free one)"),
            "A second port, for operators: `/metrics`, `/readyz` with its reasons, `/healthz`, `/debug/tasks` and "
            "`/debug/memory`. The first port then shows neither `/metrics` nor the reasons.",
            unset="monitors use the first port",
        ),
    ] = None

    admin_host: Annotated[
        str,
        Declared(
            "admin.host",
            Host("an address or a name of this machine"),
            "The address of the operators' port. Every client that reaches the port can read all of it.",
        ),
    ] = "127.0.0.1"

    # --- calls that name their service in the body --------------------------------------------------------------

    gateway_chat_body_max_bytes: Annotated[
        int,
        Declared(
            "gateway.chat_body_max_bytes",
            Whole(1024, 1 << 30, "bytes"),
            "Size limit of the body of a call at `/v2/chat/completions` and its like. The server reads it whole, "
            "within the memory of `http.bodies_max_bytes`.",
        ),
    ] = 16 << 20

    # --- WebSockets of services ---------------------------------------------------------------------------------

    gateway_socket_idle_seconds: Annotated[
        int,
        Declared(
            "gateway.socket_idle_seconds",
            Whole(1, 86_400, "seconds"),
            "How long a WebSocket of a service may be silent, pings included, before it is closed (1001).",
        ),
    ] = 300

    gateway_socket_message_max_bytes: Annotated[
        int,
        Declared(
            "gateway.socket_message_max_bytes",
            Whole(1024, 1 << 30, "bytes"),
            "Size limit of a message on a WebSocket, as sent, from either end; a longer one closes the WebSocket "
            "(1009).",
        ),
    ] = 16 << 20

    gateway_sockets_per_key_max: Annotated[
        int,
        Declared(
            "gateway.sockets_per_key_max",
            Whole(1, 100_000, "WebSockets"),
            "Maximum number of open WebSockets of a service key, through one server.",
        ),
    ] = 256

    gateway_sockets_per_account_max: Annotated[
        int,
        Declared(
            "gateway.sockets_per_account_max",
            Whole(1, 100_000, "WebSockets"),
            "Maximum number of open WebSockets of an account's service keys, through one server.",
        ),
    ] = 1024
