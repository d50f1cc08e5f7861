"""Usage of services, and token packages of accounts."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCOUNTS, PROJECTS, SERVICE_USAGE, SERVICES, TOKEN_PACKAGES
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.model.usage import MINUTES_KEEP_US, ServiceUsage, TokenPackage, UsageKey
from leasebook.domain.rules.ownership import own_service, require_project
from leasebook.domain.rules.resource.tag_policy import tag_new
from leasebook.domain.values.calendar import HOUR_US, MINUTE_US, Instant, rfc3339
from leasebook.domain.values.refusal import BAD_VALUE, NO_RESOURCE, WRONG_STATE, Refusal
from leasebook.domain.values.resource_tags import NewTags
from leasebook.domain.values.rule_settings import Rules
from leasebook.domain.values.wording import counted


class CountCalls(Command, frozen=True, kw_only=True):
    """Count an app's calls of a service, in the hour of ``at``, and take their tokens off a package.

    All calls are counted in full. If the package has fewer tokens than they took, it becomes exhausted, and later calls
    are refused (decision 34).
    """

    answer: ClassVar[type] = bool

    account_id: str
    service_id: str
    app_id: str
    at: Instant
    input_tokens: int
    output_tokens: int
    succeeded: int
    failed: int
    package_id: str | None = None

    def needs(self) -> Needs:
        """The service, the hour's count, that of two days before, and the package."""
        yield SERVICES, (self.service_id,)
        yield SERVICE_USAGE, self._key()
        yield SERVICE_USAGE, self._former_key()
        if self.package_id is not None:
            yield TOKEN_PACKAGES, (self.package_id,)

    def _key(self) -> tuple[str, str, int]:
        return self.service_id, self.app_id, self.at // HOUR_US * HOUR_US

    def _former_key(self) -> tuple[str, str, int]:
        """Return the key of the hour whose minutes are deleted now: an app with steady calls keeps two days of them.

        Every hour does that for one before it: no row is looked for, and none is written more often than this one. If
        an hour has no calls, ``ForgetMinutes`` deletes those of the hour two days before.
        """
        service_id, app_id, hour = self._key()
        return service_id, app_id, hour - MINUTES_KEEP_US

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:
        """Raises Refusal: unknown service or package, or a time in the future.

        Also for a package that has not begun, is exhausted or expired.
        """
        service = own_service(draft, self.account_id, self.service_id)
        if self.at > now:
            raise Refusal(BAD_VALUE, "Calls that are still to come cannot be counted.", field="time")
        service_id, app_id, hour = self._key()
        calls = draft.get(SERVICE_USAGE, *self._key()) or ServiceUsage(
            service_id, app_id, Instant(hour), service.account_id
        )
        minute = (self.at - hour) // MINUTE_US
        added = (self.input_tokens, self.output_tokens, self.succeeded, self.failed)
        draft.put(SERVICE_USAGE, calls.plus(*added, minute=minute))
        former = draft.get(SERVICE_USAGE, *self._former_key())
        if former is not None and former.minutes:
            draft.put(SERVICE_USAGE, msgspec.structs.replace(former, minutes=()))
        if self.package_id is not None:
            package = draft.get(TOKEN_PACKAGES, self.package_id)
            if package is None or package.account_id != self.account_id:
                raise no_package(self.package_id)
            tokens = self.input_tokens + self.output_tokens
            _check_package(package, tokens, rules, now)
            used = package.used + min(tokens, package.left())
            draft.put(TOKEN_PACKAGES, msgspec.structs.replace(package, used=used))
        return True


def shown_since(now: Instant) -> Instant:
    """Return the first hour whose minutes are still shown."""
    return Instant((now - MINUTES_KEEP_US) // HOUR_US * HOUR_US)


class ForgetMinutes(Command, frozen=True, kw_only=True):
    """Delete the minutes of hours that are no longer shown by the minute. The sums of these hours stay."""

    answer: ClassVar[type] = bool

    hours: tuple[UsageKey, ...]

    def needs(self) -> Needs:
        """The hours."""
        for key in self.hours:
            yield SERVICE_USAGE, key

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002 - no setting matters
        """Returns whether any minutes were there."""
        found = False
        for key in self.hours:
            row = draft.get(SERVICE_USAGE, *key)
            if row is not None and row.minutes and row.hour < shown_since(now):
                draft.put(SERVICE_USAGE, msgspec.structs.replace(row, minutes=()))
                found = True
        return found


def _check_package(package: TokenPackage, tokens: int, rules: Rules, now: Instant) -> None:
    """Raise Refusal (WRONG_STATE) if tokens are to be taken off a package that is not active."""
    if not tokens or package.status(now) == "Active":
        return
    why = f"is over since {rfc3339(package.expires_at, rules.written_zone)}"
    if package.status(now) == "Exhausted":
        why = f"is exhausted: all that it had, {counted(package.specification, 'token')}, is used"
    if package.status(now) == "Pending":
        why = f"begins at {rfc3339(package.started_at, rules.written_zone)}"
    raise Refusal(
        WRONG_STATE,
        f"The package {package.id} {why}. Count the calls without it, or on another (DescribePackageResources, "
        "/v2/charge).",
        field="packageId",
    )


class GrantPackage(Command, frozen=True, kw_only=True):
    """Give an account a package of single tokens, from ``starts_at`` on or, without one, from now. Returns it."""

    answer: ClassVar[type] = TokenPackage

    package_id: str
    account_id: str
    user_id: str
    service_name: str
    specification: int
    expires_at: Instant
    starts_at: Instant | None = None
    tags: NewTags = NewTags()
    project_id: str | None = None

    def needs(self) -> Needs:
        """The account, its project, and the new row."""
        yield TOKEN_PACKAGES, (self.package_id,)
        yield ACCOUNTS, (self.account_id,)
        if self.project_id is not None:
            yield PROJECTS, (self.project_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> TokenPackage:  # noqa: ARG002 - no setting matters
        """Raises Refusal: unknown account or project, or times that the package cannot have."""
        if draft.get(ACCOUNTS, self.account_id) is None:
            raise Refusal(NO_RESOURCE, f"There is no account {self.account_id[:64]!r}.", field="accountId")
        require_project(draft, self.account_id, self.project_id)
        if self.expires_at <= now:
            raise Refusal(BAD_VALUE, "The package would be over already. Give a later time.", field="expiredTime")
        starts_at = now if self.starts_at is None else self.starts_at
        if starts_at < now:
            raise Refusal(
                BAD_VALUE,
                "The package cannot begin in the past. Leave the time out to have it begin now.",
                field="startTime",
            )
        if starts_at >= self.expires_at:
            raise Refusal(
                BAD_VALUE, "The package would begin when it is over. Give an earlier time.", field="startTime"
            )
        package = TokenPackage(
            id=self.package_id,
            account_id=self.account_id,
            created_by=self.user_id,
            service_name=self.service_name,
            specification=self.specification,
            used=0,
            started_at=starts_at,
            expires_at=self.expires_at,
            project_id=self.project_id,
        )
        draft.add(TOKEN_PACKAGES, package)
        tag_new(draft, self.tags, package.id, package.account_id)
        return package


def no_package(package_id: str) -> Refusal:
    """Return the refusal for a package that the account does not have."""
    return Refusal(
        NO_RESOURCE,
        f"There is no package {package_id[:64]!r} here. DescribePackageResources (/v2/charge) lists yours.",
        field="packageId",
    )
