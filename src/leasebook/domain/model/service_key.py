"""Keys for calling services: bearer keys, apart from the access keys that sign requests, and tokens of access keys."""

from __future__ import annotations

import hmac
import re
from hashlib import sha256
from typing import Final, Literal, NamedTuple

import msgspec

from leasebook.domain.model.account import User, holds_for
from leasebook.domain.model.resource.project import public_project
from leasebook.domain.values.calendar import Instant

ServiceKeyStatus = Literal["Active", "Deleted"]
Projects = frozenset[str]
_TOKEN: Final = re.compile(r"lsk-([0-9a-z]{12})-([A-Za-z0-9_-]{43})", re.ASCII)


class ServiceKey(msgspec.Struct, frozen=True):
    """A key for calling the services of an account; with ``service_id``, only that service.

    Calls with the key are counted under its ``name``, which is an app. Only ``digest`` is kept of the key: the SHA-256
    of its text, in hex. The key has 256 random bits, so a slower digest would not make it harder to guess.
    """

    id: str
    account_id: str
    created_by: str
    name: str
    service_id: str | None
    digest: str
    created_at: Instant
    status: ServiceKeyStatus = "Active"

    def is_that(self, text: str) -> bool:
        """Whether this is the key.

        The comparison takes the same time for every text, so it reveals nothing of the digest.
        """
        return self.status == "Active" and hmac.compare_digest(self.digest, digest_of(text))

    def sees(self, project_id: str | None) -> bool:  # noqa: ARG002 - as a token is asked
        """Whether services of a project are there for it: those of all projects of its account."""
        return True

    def opens(self, service_id: str) -> bool:
        """Whether it may call that service of its account."""
        return self.service_id in (None, service_id)


Orphan = Literal["MakerGone", "MakerMayNot", "MakerHasNoKey"]
"""Why no user answers for a key: its maker is deleted, may not make keys any more, or has no active access key.

In the first two cases the key is refused. In the third it still works, because a user who replaces an access key has
none for a moment.
"""
DEAD: Final = frozenset({"MakerGone", "MakerMayNot"})
"""The cases in which a key is refused."""


def orphan_of(
    key: ServiceKey,
    maker: User | None,
    makers: frozenset[str],
    *,
    project_id: str | None = None,
    has_access_key: bool = True,
) -> Orphan | None:
    """Return why no user answers for a key; None if its maker does. ``makers`` are policies that allow making keys.

    ``project_id`` is the project, None for the default one, of the service that the key opens: a user with a policy for
    it may make keys for that service, and no key for all services.
    """
    if maker is None or maker.account_id != key.account_id or maker.deleted_at is not None:
        return "MakerGone"
    if not may_make(maker, makers) and not (key.service_id is not None and holds_for(maker, project_id, makers)):
        return "MakerMayNot"
    return None if has_access_key else "MakerHasNoKey"


def may_make(maker: User, makers: frozenset[str]) -> bool:
    """Whether a user may make keys for every service of the account; ``makers`` are the policies that allow it."""
    return maker.is_root or not makers.isdisjoint(maker.policies)


class KeyText(NamedTuple):
    """A key's text as its holder has it, and the id in it."""

    id: str
    text: str


def key_text(key_id: str, secret: str) -> str:
    """Return a key's text: its id, for the lookup, and 43 random characters."""
    return f"lsk-{key_id.removeprefix('key-')}-{secret}"


def read_key(text: str) -> KeyText | None:
    """Parse a key; None if the text is not one."""
    found = _TOKEN.fullmatch(text)
    return KeyText(f"key-{found[1]}", text) if found else None


def digest_of(text: str) -> str:
    """Return the digest that is stored for a key."""
    return sha256(text.encode()).hexdigest()


TokenWhy = Literal["", "none", "unknown", "wrong", "expired", "orphaned"]
"""Why a token is refused: it is malformed, no active access key has its id, the key of that id did not make it, it is
over, or its user may not call services any more."""


class TokenKey(msgspec.Struct, frozen=True):
    """A token that was proved. It opens what service keys that its user made would open.

    These are the services of the account, or those of ``projects``, which are public ids. ``id`` is that of the access
    key; calls are counted under it, as their app. ``payload`` is the part of the token that is no secret, ``digest``
    the SHA-256 of the other.
    """

    id: str
    account_id: str
    payload: str
    digest: str
    projects: Projects | None = None
    service_id: None = None

    @property
    def name(self) -> str:
        """The app that calls are counted under."""
        return self.id

    def sees(self, project_id: str | None) -> bool:
        """Whether services of a project are there for it; None: the default project."""
        return self.projects is None or public_project(project_id) in self.projects

    def opens(self, service_id: str) -> bool:  # noqa: ARG002 - as a service key is asked
        """Whether it may call that service, which it sees: any."""
        return True


class UserKey(msgspec.Struct, frozen=True):
    """A user who is signed in to the console. It opens what service keys that the user made would open.

    These are the services of the account, or those of ``projects``, which are public ids. ``id`` is no key's, since no
    key's id has a colon; calls are counted under it, as their app.
    """

    id: str
    account_id: str
    user_id: str
    projects: Projects | None = None
    service_id: None = None

    @property
    def name(self) -> str:
        """The app that calls are counted under."""
        return self.id

    def sees(self, project_id: str | None) -> bool:
        """Whether services of a project are there for it; None: the default project."""
        return self.projects is None or public_project(project_id) in self.projects

    def opens(self, service_id: str) -> bool:  # noqa: ARG002 - as a service key is asked
        """Whether it may call that service, which it sees: any."""
        return True


Key = ServiceKey | TokenKey | UserKey
"""A proved key of any kind."""
