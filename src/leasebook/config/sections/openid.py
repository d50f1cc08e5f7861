"""The settings of signing in to the console with an identity provider (OpenID Connect)."""

from dataclasses import dataclass
from typing import Annotated, Final

from leasebook.addressing.host_port import unescaped
from leasebook.addressing.secure_web import issuer_of, secure_web_of
from leasebook.config.kinds import Declared, Kind, Secret, SecretText, Text, did_you_mean
from leasebook.config.sections.console import ConsoleSettings
from leasebook.contract.policies import POLICY_NAMES

GROUPS_MAX: Final = 200
"""Upper bound on the groups that have policies."""


def groups_of(text: str) -> dict[str, tuple[str, ...]]:
    """Read which policies each group gives, such as ``GROUP=POLICY+POLICY; GROUP=POLICY``.

    The last ``=`` of a part ends the group's name, in which ``%XX`` is written for ``;``, ``%`` and spaces at its ends.
    Raises ValueError with the reason.
    """
    found: dict[str, tuple[str, ...]] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        group, _, policies = part.rpartition("=")
        name = unescaped(group.strip())
        if not name:
            raise ValueError("each part is GROUP=POLICY")
        if name in found:
            raise ValueError(f"the group {name[:64]} is there twice; write its policies with + between them")
        given = tuple(policy.strip() for policy in policies.split("+"))
        for policy in given:
            if policy not in POLICY_NAMES:
                raise ValueError(f"there is no policy {policy[:64]!r}. {did_you_mean(policy, POLICY_NAMES)}".strip())
        found[name] = given
    if len(found) > GROUPS_MAX:
        raise ValueError(f"there are at most {GROUPS_MAX} groups")
    return found


@dataclass(frozen=True, slots=True)
class Checked(Kind):
    """A text that one of the functions here accepts; the hint of a refusal is the function's own."""

    what: str
    allowed: str

    def check(self, value: object) -> str:
        """Refuse any other text, with the reason."""
        if not isinstance(value, str):
            raise ValueError  # noqa: TRY004 - one kind of error for every wrong value
        {"issuer": issuer_of, "web": secure_web_of, "groups": groups_of}[self.what](value)
        return value


class OpenIdSettings(ConsoleSettings, frozen=True, kw_only=True):
    """Settings of signing in with an identity provider; each field is its declaration."""

    console_openid_issuer: Annotated[
        str | None,
        Declared(
            "console.openid_issuer",
            Checked(
                "issuer",
                "the issuer of an identity provider, letter by letter as it calls itself, such as "
                '"https://login.example.com/realms/main"; http:// only for this machine',
            ),
            "The identity provider that people sign in to the console with, by OpenID Connect. Needs "
            "`console.openid_client_id` and `public_url`.",
            unset="there is no sign-in with an identity provider",
        ),
    ] = None

    console_openid_client_id: Annotated[
        str | None,
        Declared(
            "console.openid_client_id",
            Text(r"[ -~]{1,255}", "the identifier that the provider gave this service, at most 255 ASCII characters"),
            "The name of this service at the identity provider, where its redirect address is `public_url` with "
            "`path_prefix` and `/console/openid/callback`.",
            unset="there is no sign-in with an identity provider",
        ),
    ] = None

    console_openid_client_secret: Annotated[
        Secret | None,
        Declared(
            "console.openid_client_secret",
            SecretText(r"[ -~]{1,1000}", "from 1 to 1000 printable ASCII characters"),
            "The secret of this service at the identity provider.",
            unset="a public client, which proves itself by PKCE alone",
        ),
    ] = None

    console_openid_account: Annotated[
        str | None,
        Declared(
            "console.openid_account",
            Text(r"[0-9A-Za-z-]{1,64}", "the id of an account"),
            "The account in which a first sign-in makes a user. The user has no rights but those of "
            "`console.openid_groups`.",
            unset="the account of the first root user",
        ),
    ] = None

    console_openid_groups: Annotated[
        str,
        Declared(
            "console.openid_groups",
            Checked(
                "groups",
                'groups with policies, such as "ml-leads=QianfanFullControlAccessPolicy; ml=QianfanReadAccessPolicy+'
                'QianfanServiceOperateAccessPolicy", with %XX for ; and % in a group',
            ),
            "The policies that groups of the ID token give. They replace those of the sign-in before, so a user who "
            "left a group loses its policies at the next sign-in. Policies attached by hand stay.",
        ),
    ] = ""

    console_openid_groups_claim: Annotated[
        str,
        Declared(
            "console.openid_groups_claim",
            Text(r"[!-~]{1,255}", "the name of a claim, at most 255 visible ASCII characters"),
            "The claim of the ID token that lists the groups of the person.",
        ),
    ] = "groups"

    console_openid_scopes: Annotated[
        str,
        Declared(
            "console.openid_scopes",
            Text(r"openid(?: [!#-\[\]-~]{1,100}){0,20}", 'scopes with one space between them, "openid" first'),
            "The scopes that the identity provider is asked for. Some providers list groups only for a scope such as "
            "`groups`.",
        ),
    ] = "openid profile"


def openid_problem(settings: OpenIdSettings, public_url: str | None) -> str | None:
    """Return what a server lacks that is to let people sign in with an identity provider; None: nothing."""
    if settings.console_openid_issuer is None:
        return None
    if settings.console_openid_client_id is None:
        return "console.openid_issuer needs console.openid_client_id, which is not set; set both or neither"
    if public_url is None:
        return (
            "console.openid_issuer needs public_url, which is not set: the provider sends people back to that address"
        )
    try:
        secure_web_of(public_url)
    except ValueError:
        return (
            "console.openid_issuer needs a public_url with https://: a code that lets people in must not cross the "
            "network in the clear (http:// is only for this machine)"
        )
    return None
