"""The settings about webhooks and e-mail."""

from typing import Annotated, Literal

from leasebook.addressing.mail import address_of
from leasebook.addressing.webhook import networks_of
from leasebook.config.kinds import Declared, OneOf, Parsed, Secret, SecretText, Whole
from leasebook.config.sections.identity import IdentitySettings


class NotificationSettings(IdentitySettings, frozen=True, kw_only=True):
    """How receivers are told; each field is its declaration."""

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
            "Networks that webhooks may go to though they are not public. Whoever manages an account's subscriptions "
            "can then make this server call whatever listens there.",
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
            "Attempts to deliver that are under way at once in a process and are not slow yet. An account that has "
            "none of them gets one nevertheless.",
        ),
    ] = 64

    webhook_attempts_per_account: Annotated[
        int,
        Declared(
            "webhook.attempts_per_account",
            Whole(1, 512, "attempts"),
            "Attempts of one account that are under way at once in a process, slow ones included.",
        ),
    ] = 16

    webhook_attempts_per_receiver: Annotated[
        int,
        Declared(
            "webhook.attempts_per_receiver",
            Whole(1, 512, "attempts"),
            "Attempts at one host and port, or at the mail server, that are under way at once in a process. The first "
            "of each account goes out nevertheless.",
        ),
    ] = 8

    webhook_slow_seconds: Annotated[
        int,
        Declared(
            "webhook.slow_seconds",
            Whole(1, 30, "seconds"),
            "A receiver that took so long counts as slow for ten minutes, or until it is quicker: attempts at it have "
            "places of their own.",
        ),
    ] = 2

    webhook_slow_attempts_max: Annotated[
        int,
        Declared(
            "webhook.slow_attempts_max",
            Whole(1, 512, "attempts"),
            "Attempts at slow receivers that are under way at once in a process.",
        ),
    ] = 32

    webhook_slow_attempts_per_account: Annotated[
        int,
        Declared(
            "webhook.slow_attempts_per_account",
            Whole(1, 512, "attempts"),
            "Attempts of one account at slow receivers that are under way at once in a process.",
        ),
    ] = 4

    webhook_give_up_hours: Annotated[
        int,
        Declared(
            "webhook.give_up_hours",
            Whole(1, 720, "hours"),
            "How long an event that cannot be delivered to a subscription is tried again.",
        ),
    ] = 72

    deliveries_keep_days: Annotated[
        int,
        Declared(
            "deliveries.keep_days",
            Whole(1, 365, "days"),
            "How long it is kept what was delivered; what was given up is kept for 30 days, and no shorter than this.",
        ),
    ] = 7

    subscription_tests_per_hour: Annotated[
        int,
        Declared(
            "subscription.tests_per_hour",
            Whole(1, 3600, "tests"),
            "How often a subscription may be tested in an hour; up to five of these may come at once.",
        ),
    ] = 20

    subscription_account_tests_per_hour: Annotated[
        int,
        Declared(
            "subscription.account_tests_per_hour",
            Whole(1, 36_000, "tests"),
            "How many tests and confirmations of mail addresses an account may have sent in an hour; up to 50 of these "
            "may come at once.",
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
            "The mail server that e-mail subscriptions are sent through.",
            unset="there are no e-mail subscriptions",
        ),
    ] = None

    mail_from: Annotated[
        str,
        Declared(
            "mail.from",
            Parsed(address_of, 'a mail address such as "leasebook@example.org"'),
            "Whom mails are from.",
        ),
    ] = "leasebook@localhost"
