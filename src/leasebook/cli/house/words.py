"""Every text that ``apply`` and ``export`` show to people, in one place, and marked to be translated.

The names of things, such as ``user ci of account team``, are also in the file of secrets, where programs read them.
They are the same in every language.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from leasebook.cli.terminal.texts import _, marked, of_error


class BadHouse(Exception):
    """The file cannot be applied. The message says why; ``line`` is where, None for the whole file."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(_(message))
        self.line = line


# The file.

EMPTY: Final = marked("The file is empty. It begins with house: and a name.")
ONE_DOCUMENT: Final = marked("A second document begins here. A house is one document: take the line --- out.")
NO_ALIASES: Final = marked(
    "Anchors (&name) and aliases (*name) are not allowed. Write the values out, or quote the text."
)
NO_TAGS: Final = marked("Tags (!name) are not allowed. Take the tag out, or quote the text.")
TEXT_KEYS: Final = marked("A key must be a text.")
WANTS_TEXT: Final = marked("One value is expected here: a text or a number.")
WANTS_LIST: Final = marked("A list is expected here, such as [1d, 1h].")
WANTS_TABLE: Final = marked("A table is expected here: keys with values.")
NO_HOUSE: Final = marked(
    "The key house is missing. Give the house a name, such as house: main. Its client tokens come from it."
)
ONE_TARGET: Final = marked("A subscription has either webhook: with a URL, or email: with an address.")
ACCOUNTS_OR_PROJECTS: Final = marked(
    "A subscription is over accounts:, or for projects: of the operator's account. Leave one of them out."
)
NOTHING: Final = marked("(none)")
EXPORTED: Final = (
    "# Written by leasebook export. Balances, instances, services, and subscriptions to one instance are left out.\n"
)


def at_line(path: str, line: int | None, message: str) -> str:
    """Say where a message belongs."""
    if line is None:
        return f"{path}: {message}"
    return _("{path}, line {line}: {message}").format(path=path, line=line, message=of_error(message))


def too_large(size: int, most: int) -> str:
    """Refuse a large file."""
    return _("The file has {size} bytes, and {most} are allowed. Divide it into several houses.").format(
        size=size, most=most
    )


def too_deep(most: int) -> str:
    """Refuse deep nesting."""
    return _("Lists and tables are nested more than {most} deep here. No part of a house needs that.").format(most=most)


def not_utf8(at: int) -> str:
    """Refuse another encoding."""
    return _("The file is not UTF-8 at byte {at}. Save it as UTF-8.").format(at=at)


def not_yaml(said: str) -> str:
    """Refuse text that is not YAML."""
    return _("This is not YAML: {said}.").format(said=said)


def twice(name: str, line: int) -> str:
    """Refuse a repeated key."""
    return _("{name!r} is on line {line} already. Keep one of them.").format(name=name, line=line)


def bad_variable(name: str) -> str:
    """Refuse the name of a variable."""
    return _(
        "{name!r} is no name of a variable. Write ${{NAME}} with letters, digits and _, or $${{ for the text itself."
    ).format(name=name)


def no_variable(name: str) -> str:
    """Refuse a missing variable."""
    return _("The environment has no variable {name}. Set it, or write $${{ for the text itself.").format(name=name)


def bad_amount(given: str) -> str:
    """Refuse an amount."""
    return _(
        "{given!r} is no amount. Write it like 1000, 0.50 or 1,000.00, with at most six decimal places and without a "
        "currency: it is the service's."
    ).format(given=given)


def bad_count(given: str) -> str:
    """Refuse a number."""
    return _("{given!r} is no whole number. Write it like 20000 or 20,000.").format(given=given)


def bad_span(given: str) -> str:
    """Refuse a length of time."""
    return _("{given!r} is no length of time. Write it like 90s, 30m, 8h, 2d, 1w or 1d12h.").format(given=given)


def bad_truth(given: str) -> str:
    """Refuse a truth value."""
    return _("{given!r} is neither true nor false.").format(given=given)


def none_of(given: str, allowed: Sequence[str], near: str | None) -> str:
    """Refuse a word that is not in a list."""
    return _("{given!r} is none of {names}.{meant}").format(given=given, names=", ".join(allowed), meant=_meant(near))


def no_key(given: str, known: Sequence[str], near: str | None) -> str:
    """Refuse an unknown key."""
    hint = _meant(near) or _(" Known here: {names}.").format(names=", ".join(known))
    return _("There is no key {given!r} here.{hint}").format(given=given, hint=hint)


def unfit(field: str, said: str) -> str:
    """Repeat what the service would say of a value."""
    return f"{field}: {said}." if field else f"{said}."


def bad_house(given: str) -> str:
    """Refuse the name of a house."""
    return _(
        "{given!r} is no name of a house. Use small letters, digits and hyphens, at most 64, such as main."
    ).format(given=given)


def bad_offering(name: str) -> str:
    """Refuse the name of an offering."""
    return _(
        "{name!r} is no offering. Write REGION/TYPE such as bj/gpu-1, or global/MODEL for the quota of a model."
    ).format(name=name)


def too_many_keys(given: int, most: int) -> str:
    """Refuse a number of keys."""
    return _("keys: {given} is more than the {most} that a house may make for a user.").format(given=given, most=most)


def no_such_id(given: str) -> str:
    """Say that an id leads nowhere."""
    return _(
        "The service has nothing with the id {given!r} that could be this. Take id out to find or make it by its name."
    ).format(given=given)


def same_name(name: str, ids: Sequence[str]) -> str:
    """Say that a name is not enough."""
    return _("The service has {count} of the name {name!r}: {names}. Add id: with one of these.").format(
        count=len(ids), name=name, names=", ".join(ids)
    )


def same_account(label: str, other: str) -> str:
    """Say that two entries are one account."""
    return _("{label!r} and {other!r} are the same account of the service. Keep one of them.").format(
        label=label, other=other
    )


def no_user(name: str, account: str, near: str | None) -> str:
    """Say that limits name an unknown user."""
    return _("The account {account} has no user {name!r}, and the file makes none.{meant}").format(
        account=account, name=name, meant=_meant(near)
    )


def no_project(name: str, account: str, near: str | None) -> str:
    """Say that limits, policies of a user, or a subscription name an unknown project."""
    return _("The account {account} has no project {name!r}, and the file makes none.{meant}").format(
        account=account, name=name, meant=_meant(near)
    )


def no_account(name: str, near: str | None) -> str:
    """Say that a subscription names an unknown account."""
    return _("The service has no account {name!r}, and the file makes none.{meant}").format(
        name=name, meant=_meant(near)
    )


def zone_stays(label: str, line: int, there: str, wanted: str) -> str:
    """Say that a time zone cannot be changed."""
    return _(
        "Line {line}: the account {label} counts its months in {there}, and an account keeps its time zone. Write "
        "timeZone: {there}, or give {wanted} to a new account."
    ).format(line=line, label=label, there=there, wanted=wanted)


def _meant(near: str | None) -> str:
    return _(" Did you mean {near!r}?").format(near=near) if near else ""


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
    return _("a new key") if number == 1 else _("{number} new keys").format(number=number)


def fetched(of: str) -> str:
    """Name a secret that an earlier run did not write."""
    return _("secret of the {of}, which an interrupted run made").format(of=of)


def lapsed(of: str, when: str) -> str:
    """Name a secret that is lost."""
    return _(
        "note that the secret of the {of} is lost: a run of {when} was interrupted, and the service gives it no more. "
        "Disable that key, and run again"
    ).format(of=of, when=when)


def only_closed(number: int) -> str:
    """Say that an offering with held units is only closed."""
    return _("closed only: {number} of its units are held; run again when they are free to remove it").format(
        number=number
    )


# Things that stay.


def left(what: str) -> str:
    """Write a thing that stays as it is."""
    return _("  left: {what}").format(what=what)


def more_left(number: int) -> str:
    """Count the things that stay and are not named."""
    return _("  left: {number} more").format(number=number)


def of_another(thing: str) -> str:
    """Say that the caller did not make a thing."""
    return _("{thing}: not made with this key's user, so it is not ended").format(thing=thing)


def is_you(thing: str) -> str:
    """Say that the caller is not ended."""
    return _("{thing}: the user of this key, so it is not ended").format(thing=thing)


def waits_for_units(thing: str, number: int) -> str:
    """Say that a closed offering waits for its units."""
    return _("{thing}: closed, and {number} of its units are held").format(thing=thing, number=number)


def not_empty(thing: str, reason: str) -> str:
    """Say why an account is not closed."""
    return _("{thing}: not closed, because {reason}").format(thing=thing, reason=reason)


def holds(instances: int, services: int) -> str:
    """Say what lives in an account."""
    return _(
        "it has instances: {instances}, services: {services}. Release the instances and delete the services first"
    ).format(instances=instances, services=services)


def has_money(balance: str, currency: str) -> str:
    """Say that an account has money or a debt."""
    return _(
        "its balance is {balance} {currency}. To pay it out or write it off, call CloseAccount (/v2/iam) by hand with "
        "payOut or writeOff"
    ).format(balance=balance, currency=currency)


def summary(made: int, altered: int, ended: int, same: int) -> str:
    """Write the last line of a plan."""
    return _("{made} to make, {altered} to change, {ended} to end, {same} as the file says.").format(
        made=made, altered=altered, ended=ended, same=same
    )


# The run.

NO_CHANGES: Final = marked("Nothing to do: the service is as the file says.")
ASK: Final = marked("Do this?")
ASK_ENDS: Final = marked("End the things that are marked - above? This cannot be undone.")
NO_TERMINAL: Final = marked("Nothing was changed: there is no terminal to ask on. Look at the plan, and give --yes.")
NOT_WANTED: Final = marked("Nothing was changed.")
WHO_ARE_YOU: Final = marked("The user of this access key is not among the users of its account.")
TOO_OFTEN: Final = marked("It was made and ended too often in the last two days. Try again tomorrow.")
MADE_MEANWHILE: Final = marked("Another run made it meanwhile. Run again.")
NOT_A_PLAIN_FILE: Final = marked("it is not a plain file of its own: a link, a device, or a file with two names")
NOT_YOURS: Final = marked("it belongs to another user")


def refused(action: str, code: str, message: str) -> str:
    """Say that the service refused a call."""
    return f"{action}: {code}: {of_error(message)}"


def not_json(url: str) -> str:
    """Say that something else answers."""
    return _("{url} does not answer as this service does.").format(url=url)


def planned(house: str, url: str) -> str:
    """Write the first line of a plan."""
    return _("House {house} at {url}:").format(house=house, url=url)


def doing(sign: str, thing: str) -> str:
    """Write a step that is done."""
    return _("{sign} {thing}: done").format(sign=sign, thing=thing)


def stopped(thing: str, reason: object) -> str:
    """Say which step failed."""
    said = str(reason).rstrip(".")
    return _("{thing}: {said}. The steps before it were done. Run again: a run does only the rest.").format(
        thing=thing, said=said
    )


def stays(thing: str, reason: object) -> str:
    """Say that something could not be ended."""
    return _("{thing} stays: {reason}").format(thing=thing, reason=reason)


def secrets_in(path: Path) -> str:
    """Say where the secrets are."""
    return _("The new secrets are in {path}, readable by you alone.").format(path=path)


def secrets_busy(path: Path) -> str:
    """Say that another run has the file."""
    return _("{path}: another run is at work with this file. Wait for its end.").format(path=path)


def secrets_open(path: Path) -> str:
    """Refuse a file that others can read."""
    return _("{path}: other users of this machine can read or write this file. Run: chmod 600 {path}").format(path=path)


def secrets_not_ours(path: Path) -> str:
    """Refuse a file with other content."""
    return _("{path}: this file has other content than secrets of apply. Give --keys-file another name.").format(
        path=path
    )


def secrets_unusable(path: Path, reason: str) -> str:
    """Say why the file cannot be used."""
    return _("{path}: cannot keep secrets in this file: {reason}. Give --keys-file another name.").format(
        path=path, reason=reason
    )


def exists(path: Path) -> str:
    """Refuse to write over a file."""
    return _("{path} exists already. Give --file another name.").format(path=path)
