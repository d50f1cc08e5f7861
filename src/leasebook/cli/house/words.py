"""Every text that ``apply`` and ``export`` show to people, in one place, so that they can be translated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final


class BadHouse(Exception):
    """The file cannot be applied. The message says why; ``line`` is where, None for the whole file."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


# The file.

EMPTY: Final = "The file is empty. It begins with house: and a name."
ONE_DOCUMENT: Final = "A second document begins here. A house is one document: take the line --- out."
NO_ALIASES: Final = "Anchors (&name) and aliases (*name) are not allowed. Write the values out, or quote the text."
NO_TAGS: Final = "Tags (!name) are not allowed. Take the tag out, or quote the text."
TEXT_KEYS: Final = "A key must be a text."
WANTS_TEXT: Final = "One value is expected here: a text or a number."
WANTS_LIST: Final = "A list is expected here, such as [1d, 1h]."
WANTS_TABLE: Final = "A table is expected here: keys with values."
NO_HOUSE: Final = (
    "The key house is missing. Give the house a name, such as house: main. Its client tokens come from it."
)
ONE_TARGET: Final = "A subscription has either webhook: with a URL, or email: with an address."
NOTHING: Final = "(none)"
EXPORTED: Final = (
    "# Written by leasebook export. Balances, instances, services, and subscriptions to one instance are left out.\n"
)


def at_line(path: str, line: int | None, message: str) -> str:
    """Say where a message belongs."""
    return f"{path}: {message}" if line is None else f"{path}, line {line}: {message}"


def too_large(size: int, most: int) -> str:
    """Refuse a large file."""
    return f"The file has {size} bytes, and {most} are allowed. Divide it into several houses."


def too_deep(most: int) -> str:
    """Refuse deep nesting."""
    return f"Lists and tables are nested more than {most} deep here. No part of a house needs that."


def not_utf8(at: int) -> str:
    """Refuse another encoding."""
    return f"The file is not UTF-8 at byte {at}. Save it as UTF-8."


def not_yaml(said: str) -> str:
    """Refuse text that is not YAML."""
    return f"This is not YAML: {said}."


def twice(name: str, line: int) -> str:
    """Refuse a repeated key."""
    return f"{name!r} is on line {line} already. Keep one of them."


def bad_variable(name: str) -> str:
    """Refuse the name of a variable."""
    return (
        f"{name!r} is no name of a variable. Write ${{NAME}} with letters, digits and _, or $${{ for the text itself."
    )


def no_variable(name: str) -> str:
    """Refuse a missing variable."""
    return f"The environment has no variable {name}. Set it, or write $${{ for the text itself."


def bad_amount(given: str) -> str:
    """Refuse an amount."""
    return (
        f"{given!r} is no amount. Write it like 1000, 0.50 or 1,000.00, with at most six decimal places and without a "
        "currency: it is the service's."
    )


def bad_count(given: str) -> str:
    """Refuse a number."""
    return f"{given!r} is no whole number. Write it like 20000 or 20,000."


def bad_span(given: str) -> str:
    """Refuse a length of time."""
    return f"{given!r} is no length of time. Write it like 90s, 30m, 8h, 2d, 1w or 1d12h."


def bad_truth(given: str) -> str:
    """Refuse a truth value."""
    return f"{given!r} is neither true nor false."


def none_of(given: str, allowed: Sequence[str], near: str | None) -> str:
    """Refuse a word that is not in a list."""
    return f"{given!r} is none of {', '.join(allowed)}.{_meant(near)}"


def no_key(given: str, known: Sequence[str], near: str | None) -> str:
    """Refuse an unknown key."""
    hint = _meant(near) or f" Known here: {', '.join(known)}."
    return f"There is no key {given!r} here.{hint}"


def unfit(field: str, said: str) -> str:
    """Repeat what the service would say of a value."""
    return f"{field}: {said}." if field else f"{said}."


def bad_house(given: str) -> str:
    """Refuse the name of a house."""
    return f"{given!r} is no name of a house. Use small letters, digits and hyphens, at most 64, such as main."


def bad_offering(name: str) -> str:
    """Refuse the name of an offering."""
    return f"{name!r} is no offering. Write REGION/TYPE such as bj/gpu-1, or global/MODEL for the quota of a model."


def too_many_keys(given: int, most: int) -> str:
    """Refuse a number of keys."""
    return f"keys: {given} is more than the {most} that a house may make for a user."


def no_such_id(given: str) -> str:
    """Say that an id leads nowhere."""
    return (
        f"The service has nothing with the id {given!r} that could be this. Take id out to find or make it by its name."
    )


def same_name(name: str, ids: Sequence[str]) -> str:
    """Say that a name is not enough."""
    return f"The service has {len(ids)} of the name {name!r}: {', '.join(ids)}. Add id: with one of these."


def same_account(label: str, other: str) -> str:
    """Say that two entries are one account."""
    return f"{label!r} and {other!r} are the same account of the service. Keep one of them."


def no_user(name: str, account: str, near: str | None) -> str:
    """Say that limits name an unknown user."""
    return f"The account {account} has no user {name!r}, and the file makes none.{_meant(near)}"


def no_project(name: str, account: str, near: str | None) -> str:
    """Say that limits, or policies of a user, name an unknown project."""
    return f"The account {account} has no project {name!r}, and the file makes none.{_meant(near)}"


def no_account(name: str, near: str | None) -> str:
    """Say that a subscription names an unknown account."""
    return f"The service has no account {name!r}, and the file makes none.{_meant(near)}"


def zone_stays(label: str, line: int, there: str, wanted: str) -> str:
    """Say that a time zone cannot be changed."""
    return (
        f"Line {line}: the account {label} counts its months in {there}, and an account keeps its time zone. Write "
        f"timeZone: {there}, or give {wanted} to a new account."
    )


def _meant(near: str | None) -> str:
    return f" Did you mean {near!r}?" if near else ""


# The things of a plan.


def offering(name: str) -> str:
    """Name an offering."""
    return f"offering {name}"


def account(label: str) -> str:
    """Name an account."""
    return f"account {label}"


def root_of(label: str) -> str:
    """Name the root user of an account."""
    return f"root user of account {label}"


def user(name: str, label: str) -> str:
    """Name a user."""
    return f"user {name} of account {label}"


def key_of(thing: str) -> str:
    """Name a key of a user."""
    return f"key of {thing}"


def limits(label: str) -> str:
    """Name the limits of an account."""
    return f"limits of account {label}"


def reminders(label: str) -> str:
    """Name the reminders of an account."""
    return f"reminders of account {label}"


def project(name: str, label: str) -> str:
    """Name a project."""
    return f"project {name} of account {label}"


def tag_policy(label: str) -> str:
    """Name the tag policy of an account."""
    return f"tag policy of account {label}"


def subscription(target: str) -> str:
    """Name a subscription."""
    return f"subscription {target}"


def changed(name: str, before: object, after: object) -> str:
    """Write one change."""
    return f"{name}: {before} → {after}"


def new_keys(number: int) -> str:
    """Say how many keys are made."""
    return "a new key" if number == 1 else f"{number} new keys"


def fetched(of: str) -> str:
    """Name a secret that an earlier run did not write."""
    return f"secret of the {of}, which an interrupted run made"


def lapsed(of: str, when: str) -> str:
    """Name a secret that is lost."""
    return (
        f"note that the secret of the {of} is lost: a run of {when} was interrupted, and the service gives it no more. "
        "Disable that key, and run again"
    )


def only_closed(number: int) -> str:
    """Say that an offering with held units is only closed."""
    return f"closed only: {number} of its units are held; run again when they are free to remove it"


# Things that stay.


def left(what: str) -> str:
    """Write a thing that stays as it is."""
    return f"  left: {what}"


def more_left(number: int) -> str:
    """Count the things that stay and are not named."""
    return f"  left: {number} more"


def of_another(thing: str) -> str:
    """Say that the caller did not make a thing."""
    return f"{thing}: not made with this key's user, so it is not ended"


def is_you(thing: str) -> str:
    """Say that the caller is not ended."""
    return f"{thing}: the user of this key, so it is not ended"


def waits_for_units(thing: str, number: int) -> str:
    """Say that a closed offering waits for its units."""
    return f"{thing}: closed, and {number} of its units are held"


def not_empty(thing: str, reason: str) -> str:
    """Say why an account is not closed."""
    return f"{thing}: not closed, because {reason}"


def holds(instances: int, services: int) -> str:
    """Say what lives in an account."""
    return f"it has instances: {instances}, services: {services}. Release the instances and delete the services first"


def has_money(balance: str, currency: str) -> str:
    """Say that an account has money or a debt."""
    return (
        f"its balance is {balance} {currency}. To pay it out or write it off, call CloseAccount (/v2/iam) by hand with "
        "payOut or writeOff"
    )


def summary(made: int, altered: int, ended: int, same: int) -> str:
    """Write the last line of a plan."""
    return f"{made} to make, {altered} to change, {ended} to end, {same} as the file says."


# The run.

NO_CHANGES: Final = "Nothing to do: the service is as the file says."
ASK: Final = "Do this?"
ASK_ENDS: Final = "End the things that are marked - above? This cannot be undone."
NO_TERMINAL: Final = "Nothing was changed: there is no terminal to ask on. Look at the plan, and give --yes."
NOT_WANTED: Final = "Nothing was changed."
WHO_ARE_YOU: Final = "The user of this access key is not among the users of its account."
TOO_OFTEN: Final = "It was made and ended too often in the last two days. Try again tomorrow."
MADE_MEANWHILE: Final = "Another run made it meanwhile. Run again."
NOT_A_PLAIN_FILE: Final = "it is not a plain file of its own: a link, a device, or a file with two names"
NOT_YOURS: Final = "it belongs to another user"


def refused(action: str, code: str, message: str) -> str:
    """Say that the service refused a call."""
    return f"{action}: {code}: {message}"


def not_json(url: str) -> str:
    """Say that something else answers."""
    return f"{url} does not answer as this service does."


def planned(house: str, url: str) -> str:
    """Write the first line of a plan."""
    return f"House {house} at {url}:"


def doing(sign: str, thing: str) -> str:
    """Write a step that is done."""
    return f"{sign} {thing}: done"


def stopped(thing: str, reason: object) -> str:
    """Say which step failed."""
    said = str(reason).rstrip(".")
    return f"{thing}: {said}. The steps before it were done. Run again: a run does only the rest."


def stays(thing: str, reason: object) -> str:
    """Say that something could not be ended."""
    return f"{thing} stays: {reason}"


def secrets_in(path: Path) -> str:
    """Say where the secrets are."""
    return f"The new secrets are in {path}, readable by you alone."


def secrets_busy(path: Path) -> str:
    """Say that another run has the file."""
    return f"{path}: another run is at work with this file. Wait for its end."


def secrets_open(path: Path) -> str:
    """Refuse a file that others can read."""
    return f"{path}: other users of this machine can read or write this file. Run: chmod 600 {path}"


def secrets_not_ours(path: Path) -> str:
    """Refuse a file with other content."""
    return f"{path}: this file has other content than secrets of apply. Give --keys-file another name."


def secrets_unusable(path: Path, reason: str) -> str:
    """Say why the file cannot be used."""
    return f"{path}: cannot keep secrets in this file: {reason}. Give --keys-file another name."


def exists(path: Path) -> str:
    """Refuse to write over a file."""
    return f"{path} exists already. Give --file another name."
