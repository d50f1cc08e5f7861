"""How a purchase is paid: options in place of the object ``billing``."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import click

from leasebook.cli.commands.generated.kind import Asked
from leasebook.cli.commands.generated.times import is_relative, span_of, time_of
from leasebook.cli.commands.language import _

MONTHS_MAX: Final = 12
RENEWED_MAX: Final = 6


def billing_options() -> list[click.Parameter]:
    """Return the options that say how long a purchase is, and so how it is paid."""
    return [
        click.Option(["--release-in"], metavar="SPAN", help=_("Pay by the minute, and release it after 8h, 1d12h.")),
        click.Option(
            ["--until"],
            metavar="TIME",
            help=_("Pay by the minute, and release it then: 'tomorrow 18:00', 2026-12-01 18:00."),
        ),
        *term_options(_("The number of months to pay in advance.")),
    ]


def term_options(meaning: str) -> list[click.Parameter]:
    """Return the options of a prepaid term."""
    return [
        click.Option(["--months"], type=click.IntRange(1, MONTHS_MAX), help=meaning),
        click.Option(["--auto-renew"], is_flag=True, help=_("Renew it by itself whenever its months are over.")),
        click.Option(
            ["--auto-renew-months"],
            type=click.IntRange(1, RENEWED_MAX),
            help=_("By how many months it is renewed by itself; 1 if it is left out."),
        ),
    ]


def set_billing(asked: Asked) -> None:
    """Put ``billing`` into the body. One of ``--body`` stays where no option says otherwise. Raises UsageError."""
    until = _release_time(asked)
    reservation = reservation_of(asked)
    if until is not None and reservation is not None:
        raise click.UsageError(_("--months is paid in advance and ends by itself: leave --until and --release-in out."))
    if reservation is not None:
        asked.body["billing"] = {"paymentTiming": "Prepaid", "reservation": reservation}
    elif until is not None:
        asked.body["billing"] = {"paymentTiming": "Postpaid", "releaseTime": until}
    elif "billing" not in asked.body:
        asked.body["billing"] = {"paymentTiming": "Postpaid"}


def reservation_of(asked: Asked) -> dict[str, Any] | None:
    """Return the term that the options say; None: none. Raises UsageError."""
    months, renews, by = (asked.given[name] for name in ("months", "auto_renew", "auto_renew_months"))
    if months is None:
        if renews or by is not None:
            raise click.UsageError(_("Only what is paid in advance is renewed: give --months too."))
        return None
    found: dict[str, Any] = {"reservationTimeUnit": "Month", "reservationLength": months}
    if renews or by is not None:
        found |= {"autoRenew": True, "autoRenewTimeUnit": "Month", "autoRenewTime": by or 1}
    return found


def _release_time(asked: Asked) -> str | None:
    span, until = asked.given["release_in"], asked.given["until"]
    if span is not None and until is not None:
        raise click.UsageError(_("Give one of --release-in and --until."))
    if span is not None:
        length: timedelta = span_of(span)
        return (asked.session.now() + length).isoformat(timespec="seconds")
    return None if until is None else time_of(until, asked.session.now() if is_relative(until) else None)
