"""The settings of the console."""

from typing import Annotated, Literal

from leasebook.config.kinds import Declared, OneOf, Whole
from leasebook.config.sections.log_store import LogStoreSettings


class ConsoleSettings(LogStoreSettings, frozen=True, kw_only=True):
    """Settings of the console; each field is its declaration."""

    console_served: Annotated[
        Literal["no", "yes"],
        Declared(
            "console.served",
            OneOf(("no", "yes")),
            "Whether this server has the console at `/console`.",
        ),
    ] = "yes"

    console_idle_minutes: Annotated[
        int,
        Declared(
            "console.idle_minutes",
            Whole(1, 1440, "minutes"),
            "How long a session at the console lasts without a call.",
        ),
    ] = 60

    console_session_hours: Annotated[
        int,
        Declared(
            "console.session_hours",
            Whole(1, 720, "hours"),
            "How long a session at the console lasts in all. Lowered, it also ends the older sessions.",
        ),
    ] = 12

    console_link_minutes: Annotated[
        int,
        Declared(
            "console.link_minutes",
            Whole(1, 60, "minutes"),
            "How long a link to sign in holds that `leasebook console` prints. It works once.",
        ),
    ] = 10

    console_sign_ins_per_minute: Annotated[
        int,
        Declared(
            "console.sign_ins_per_minute",
            Whole(1, 1000, "attempts"),
            "How often an address (a /64 for IPv6) may try to sign in to the console in a minute. Each server counts "
            "by itself.",
        ),
    ] = 10
