"""Methods of the clients: projects. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Final, Literal, Required, TypedDict, Unpack

from leasebook.client.caller import ActionOf, AsyncCaller, Caller
from leasebook.client.shapes.resource.projects import MovedResource, ProjectDetail, ProjectList


class CreateProject(TypedDict, total=False):
    """Parameters of ``create_project``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    name: Required[str]
    """Its name, which no other active project of the account has."""

    description: str | None
    """Free text."""

    account_id: str | None
    """The account; the caller's where it is left out."""


CREATE_PROJECT: Final[ActionOf[ProjectDetail]] = ActionOf(
    "/v2/project", "CreateProject", CreateProject, ProjectDetail, writes=True
)


class DescribeProjects(TypedDict, total=False):
    """Parameters of ``describe_projects``."""

    marker: str | None
    """The nextMarker of the page before; in documented lists also the id of its last row."""

    max_keys: int | None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""

    project_id: str | None
    """Only this project."""

    name: str | None
    """Only projects of this name."""

    status: Literal["Active", "Closed"] | None
    """Only projects in this status; left out: in both."""

    account_id: str | None
    """Another account, for which it takes one of the policies over every account; the caller's where it is left out."""


DESCRIBE_PROJECTS: Final[ActionOf[ProjectList]] = ActionOf(
    "/v2/project", "DescribeProjects", DescribeProjects, ProjectList, writes=False
)


class ModifyProject(TypedDict, total=False):
    """Parameters of ``modify_project``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    project_id: Required[str]
    """The project."""

    name: str
    """Its new name, which no other active project of the account has."""

    description: str
    """Free text."""

    account_id: str | None
    """The account; the caller's where it is left out."""


MODIFY_PROJECT: Final[ActionOf[ProjectDetail]] = ActionOf(
    "/v2/project", "ModifyProject", ModifyProject, ProjectDetail, writes=True
)


class CloseProject(TypedDict, total=False):
    """Parameters of ``close_project``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    project_id: Required[str]
    """The project; the default one stays."""

    account_id: str | None
    """The account; the caller's where it is left out."""


CLOSE_PROJECT: Final[ActionOf[ProjectDetail]] = ActionOf(
    "/v2/project", "CloseProject", CloseProject, ProjectDetail, writes=True
)


class MoveResource(TypedDict, total=False):
    """Parameters of ``move_resource``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    resource_id: Required[str]
    """The id of an instance, of quota, a service or a package."""

    project_id: Required[str]
    """The project; `default` is the default project."""


MOVE_RESOURCE: Final[ActionOf[MovedResource]] = ActionOf(
    "/v2/project", "MoveResource", MoveResource, MovedResource, writes=True
)


class ProjectsMethods(Caller):
    """Methods of a client that waits for its answers."""

    def create_project(self, **request: Unpack[CreateProject]) -> ProjectDetail:
        """Make a project of the account.

        ``/v2/project?Action=CreateProject``
        """
        return self._call(CREATE_PROJECT, request)

    def describe_projects(self, **request: Unpack[DescribeProjects]) -> ProjectList:
        """List the account's projects.

        ``/v2/project?Action=DescribeProjects``
        """
        return self._call(DESCRIBE_PROJECTS, request)

    def each_of_projects(self, **request: Unpack[DescribeProjects]) -> Iterator[ProjectDetail]:
        """Go over the rows of every page of ``describe_projects``."""
        return self._each(DESCRIBE_PROJECTS, request, "projects")

    def modify_project(self, **request: Unpack[ModifyProject]) -> ProjectDetail:
        """Change the name or the description of a project.

        ``/v2/project?Action=ModifyProject``
        """
        return self._call(MODIFY_PROJECT, request)

    def close_project(self, **request: Unpack[CloseProject]) -> ProjectDetail:
        """Close a project; what it cost stays on record.

        ``/v2/project?Action=CloseProject``
        """
        return self._call(CLOSE_PROJECT, request)

    def move_resource(self, **request: Unpack[MoveResource]) -> MovedResource:
        """Put an instance, quota, a service or a package into another project.

        ``/v2/project?Action=MoveResource``
        """
        return self._call(MOVE_RESOURCE, request)


class AsyncProjectsMethods(AsyncCaller):
    """Methods of a client whose answers are awaited."""

    async def create_project(self, **request: Unpack[CreateProject]) -> ProjectDetail:
        """Make a project of the account.

        ``/v2/project?Action=CreateProject``
        """
        return await self._call(CREATE_PROJECT, request)

    async def describe_projects(self, **request: Unpack[DescribeProjects]) -> ProjectList:
        """List the account's projects.

        ``/v2/project?Action=DescribeProjects``
        """
        return await self._call(DESCRIBE_PROJECTS, request)

    def each_of_projects(self, **request: Unpack[DescribeProjects]) -> AsyncIterator[ProjectDetail]:
        """Go over the rows of every page of ``describe_projects``."""
        return self._each(DESCRIBE_PROJECTS, request, "projects")

    async def modify_project(self, **request: Unpack[ModifyProject]) -> ProjectDetail:
        """Change the name or the description of a project.

        ``/v2/project?Action=ModifyProject``
        """
        return await self._call(MODIFY_PROJECT, request)

    async def close_project(self, **request: Unpack[CloseProject]) -> ProjectDetail:
        """Close a project; what it cost stays on record.

        ``/v2/project?Action=CloseProject``
        """
        return await self._call(CLOSE_PROJECT, request)

    async def move_resource(self, **request: Unpack[MoveResource]) -> MovedResource:
        """Put an instance, quota, a service or a package into another project.

        ``/v2/project?Action=MoveResource``
        """
        return await self._call(MOVE_RESOURCE, request)
