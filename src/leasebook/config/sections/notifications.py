"""The settings of webhooks and e-mail."""

from typing import Annotated, Literal

from leasebook.addressing.mail import address_of
from leasebook.addressing.webhook import networks_of
from leasebook.config.kinds import Declared, OneOf, Parsed, Secret, SecretText, Whole
from leasebook.config.sections.identity import IdentitySettings


class NotificationSettings(IdentitySettings, frozen=True, kw_only=True):
    """Settings of webhooks and e-mail; each field is its declaration."""

    webhook_allow_http: Annotated[
        Literal["no", "yes"],
        Declared(
            "webhook.allow_http",
            OneOf(("no", "yes")),
            "Whether webhooks may go to `http://` addresses, unencrypted.",
        ),
    ] = "no"

    webhook_allow_private: Annotated[
        str | None,
        Declared(
            "webhook.allow_private",
            Parsed(networks_of, 'networks such as "10.20.0.0/16, fd00::/8"'),
            "Private networks that webhooks may go to. Any manager of an account can then make this server call "
            "addresses in these networks.",
            unset="public addresses only",
        ),
    ] = None

    webhook_timeout_seconds: Annotated[
        int,
        Declared(
            "webhook.timeout_seconds",
            Whole(1, 30, "seconds"),
            "How long a webhook's receiver has to answer, name lookup and connecting included.",
        ),
    ] = 10

    webhook_attempts_max: Annotated[
        int,
        Declared(
            "webhook.attempts_max",
            Whole(1, 512, "attempts"),
            "Maximum number of simultaneous delivery attempts in a process that are not slow yet. An account without "
            "any gets one in addition.",
        ),
    ] = 64

    webhook_attempts_per_account: Annotated[
        int,
        Declared(
            "webhook.attempts_per_account",
            Whole(1, 512, "attempts"),
            "Maximum number of simultaneous attempts of one account in a process, slow ones included.",
        ),
    ] = 16

    webhook_attempts_per_receiver: Annotated[
        int,
        Declared(
            "webhook.attempts_per_receiver",
            Whole(1, 512, "attempts"),
            "Maximum number of simultaneous attempts in a process to one host and port, or to the mail server. The "
            "first attempt of each account goes out in any case.",
        ),
    ] = 8

    webhook_slow_seconds: Annotated[
        int,
        Declared(
            "webhook.slow_seconds",
            Whole(1, 30, "seconds"),
            "A receiver that took longer than this counts as slow for ten minutes, or until it is quicker; attempts "
            "to slow receivers have limits of their own.",
        ),
    ] = 2

    webhook_slow_attempts_max: Annotated[
        int,
        Declared(
            "webhook.slow_attempts_max",
            Whole(1, 512, "attempts"),
            "Maximum number of simultaneous attempts to slow receivers in a process.",
        ),
    ] = 32

    webhook_slow_attempts_per_account: Annotated[
        int,
        Declared(
            "webhook.slow_attempts_per_account",
            Whole(1, 512, "attempts"),
            "Maximum number of simultaneous attempts of one account to slow receivers in a process.",
        ),
    ] = 4

    webhook_give_up_hours: Annotated[
        int,
        Declared(
            "webhook.give_up_hours",
            Whole(1, 720, "hours"),
            "How long the delivery of an event to a subscription is tried again before it is given up.",
        ),
    ] = 72

    deliveries_keep_days: Annotated[
        int,
        Declared(
            "deliveries.keep_days",
            Whole(1, 365, "days"),
            "How long delivered messages are kept; given-up messages are kept for 30 days, or this long if it is "
            "longer.",
        ),
    ] = 7

    subscription_tests_per_hour: Annotated[
        int,
        Declared(
            "subscription.tests_per_hour",
            Whole(1, 3600, "tests"),
            "Maximum number of tests of a subscription in an hour; up to five of them may come at once.",
        ),
    ] = 20

    subscription_account_tests_per_hour: Annotated[
        int,
        Declared(
            "subscription.account_tests_per_hour",
            Whole(1, 36_000, "tests"),
            "Maximum number of tests and confirmation mails of an account in an hour; up to 50 of them may come at "
            "once.",
        ),
    ] = 60

    smtp_url: Annotated[
        Secret | None,
        Declared(
            "smtp_url",
            SecretText(
                r"smtps?://[!-~]{1,500}",
                "smtp://USER:PASSWORD@HOST:PORT with %XX for what is special, ?starttls after it to encrypt, "
                "or smtps://… to encrypt from the first byte",
            ),
            "The mail server for e-mail subscriptions.",
            unset="e-mail subscriptions are off",
        ),
    ] = None

    mail_from: Annotated[
        str,
        Declared(
            "mail.from",
            Parsed(address_of, 'a mail address such as "leasebook@example.org"'),
            "The sender of mails.",
        ),
    ] = "leasebook@localhost"
