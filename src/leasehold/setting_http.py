"""The settings about connections, and what a stranger may send."""

from typing import Annotated

from leasehold.setting_kinds import Declared, Whole
from leasehold.setting_tenants import TenantSettings


class HttpSettings(TenantSettings, frozen=True, kw_only=True):
    """Settings about connections, and what a stranger may send; each field is its declaration."""

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
