"""Making, changing and closing projects of an account."""

from __future__ import annotations

from typing import ClassVar

import msgspec
from msgspec import UNSET, UnsetType

from leasebook.domain.book import store_queries as asked
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.store_queries import Asked
from leasebook.domain.book.tables import ACCOUNTS, PROJECTS
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.model.resource.project import DEFAULT_PROJECT, Project
from leasebook.domain.rules.bounds import bound_needs, check_bound, counted
from leasebook.domain.rules.ownership import own_project
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import BAD_VALUE, NOT_SUPPORTED, WRONG_STATE, Refusal
from leasebook.domain.values.rule_settings import Rules


class CreateProject(Command, frozen=True, kw_only=True):
    """Make a project of an account. Returns it."""

    answer: ClassVar[type] = Project

    account_id: str
    by: str
    project_id: str
    name: str
    description: str

    def needs(self) -> Needs:
        """The new row, the number of the account's projects, and how many have the name."""
        yield PROJECTS, (self.project_id,)
        yield from bound_needs(self.account_id, counted(asked.PROJECTS, self.account_id), _named(self))

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Project:
        """Raises Refusal: too many projects (QUOTA), or a name that another project has (BAD_VALUE)."""
        check_bound(draft, rules, asked.PROJECTS, self.account_id)
        _check_name(draft, self.account_id, self.name)
        project = Project(self.project_id, self.account_id, self.name, self.description, self.by, now)
        draft.add(PROJECTS, project)
        return project


class ModifyProject(Command, frozen=True, kw_only=True):
    """Give a project another name or description; UNSET: it stays. Returns the project after it."""

    answer: ClassVar[type] = Project

    account_id: str
    project_id: str
    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET

    def needs(self) -> Needs:
        """The project, its account, and how many projects have the new name."""
        yield ACCOUNTS, (self.account_id,)
        yield PROJECTS, (self.project_id,)
        if isinstance(self.name, str):
            yield _named(self)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Project:  # noqa: ARG002 - no setting matters
        """Raises Refusal: unknown, closed or the default project, or a name that another project has (BAD_VALUE)."""
        project = own_project(draft, self.account_id, self.project_id)
        if isinstance(self.name, str) and self.name != project.name:
            _check_name(draft, self.account_id, self.name)
            project = msgspec.structs.replace(project, name=self.name)
        if isinstance(self.description, str):
            project = msgspec.structs.replace(project, description=self.description)
        draft.put(PROJECTS, project)
        return project


class CloseProject(Command, frozen=True, kw_only=True):
    """Close a project for ever. Returns it. Its costs stay on record.

    ``asked_at`` is the instant for which its packages are counted: those that are over by then do not count.
    """

    answer: ClassVar[type] = Project

    account_id: str
    project_id: str
    asked_at: Instant

    def needs(self) -> Needs:
        """The project, its account, and the number of things that live in it."""
        yield ACCOUNTS, (self.account_id,)
        yield PROJECTS, (self.project_id,)
        for what in asked.LIVE_IN_PROJECT:
            yield Asked(what, self.project_id, self.asked_at)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Project:  # noqa: ARG002 - no setting matters
        """Raises Refusal: unknown, closed or the default project, or something lives in it (WRONG_STATE)."""
        project = own_project(draft, self.account_id, self.project_id)
        counts = {things: draft.book.answers.count(what, project.id) for what, things in asked.LIVE_IN_PROJECT.items()}
        alive = [f"{count} {things}" for things, count in counts.items() if count]
        if alive:
            raise Refusal(
                WRONG_STATE,
                f"The project {project.id} is not empty: it has {', '.join(alive)}. Release and delete them, or put "
                "them into another project (MoveResource, /v2/project).",
                field="projectId",
            )
        project = msgspec.structs.replace(project, status="Closed", closed_at=now)
        draft.put(PROJECTS, project)
        return project


def _named(command: CreateProject | ModifyProject) -> Asked:
    return Asked(asked.PROJECT_NAMES, asked.project_name(command.account_id, str(command.name)))


def _check_name(draft: Draft, account_id: str, name: str) -> None:
    is_taken = draft.book.answers.count(asked.PROJECT_NAMES, asked.project_name(account_id, name)) > 0
    if name == DEFAULT_PROJECT or is_taken:
        raise Refusal(
            BAD_VALUE,
            f"A project of the account is called {name!r} already. Give another name; DescribeProjects (/v2/project) "
            "lists those that there are.",
            field="name",
        )


def refuse_default(project_id: str) -> None:
    """Raise Refusal (NOT_SUPPORTED) for the default project, which every account has as it is."""
    if project_id == DEFAULT_PROJECT:
        raise Refusal(
            NOT_SUPPORTED,
            "The default project stays as it is, and every account has it. Make another project (CreateProject, "
            "/v2/project), and buy in that one.",
            field="projectId",
        )
