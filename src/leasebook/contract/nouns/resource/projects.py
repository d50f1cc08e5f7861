"""Projects of an account, and the actions that make, change and close them and move things between them."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, UnsetType

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract.action import PROJECT, read, write
from leasebook.contract.shapes import ACCOUNT_MEANT, Id, Paged, PagedRequest, Request, Shape, Text

ProjectName = Annotated[str, Meta(min_length=1, max_length=64, pattern="^[^\\x00-\\x1f\\x7f]*$")]
ProjectStatus = Literal["Active", "Closed"]


class CreateProjectRequest(Request, kw_only=True):
    """Make a project of the account. An operator may name another account."""

    name: Annotated[ProjectName, Meta(description="Its name, which no other active project of the account has.")]
    description: Annotated[Text | None, Meta(description="Free text.")] = None
    account_id: Annotated[Id | None, Meta(description="The account; the caller's where it is left out.")] = None


class DescribeProjectsRequest(PagedRequest, kw_only=True):
    """List the account's projects: the default one first, then in the order in which they were made."""

    project_id: Annotated[Id | None, Meta(description="Only this project.")] = None
    name: Annotated[ProjectName | None, Meta(description="Only projects of this name.")] = None
    status: Annotated[ProjectStatus | None, Meta(description="Only projects in this status; left out: in both.")] = None
    account_id: Annotated[Id | None, Meta(description=ACCOUNT_MEANT)] = None


class ModifyProjectRequest(Request, kw_only=True):
    """Change the name or the description of a project, or both. The default project stays as it is.

    An operator may name another account.
    """

    project_id: Annotated[Id, Meta(description="The project.")]
    name: Annotated[
        ProjectName | UnsetType, Meta(description="Its new name, which no other active project of the account has.")
    ] = UNSET
    description: Annotated[Text | UnsetType, Meta(description="Free text.")] = UNSET
    account_id: Annotated[Id | None, Meta(description="The account; the caller's where it is left out.")] = None


class CloseProjectRequest(Request, kw_only=True):
    """Close a project for ever. No instance, quota, service or package with a rest may be in it; its costs stay.

    An operator may name another account.
    """

    project_id: Annotated[Id, Meta(description="The project; the default one stays.")]
    account_id: Annotated[Id | None, Meta(description="The account; the caller's where it is left out.")] = None


class MoveResourceRequest(Request, kw_only=True):
    """Put something into another project of the account.

    Minutes that have begun are charged to the former project, later ones to the new one. A payment in advance stays
    with the project that paid it. An instance with replicas, and their service, cannot be moved.
    """

    resource_id: Annotated[Id, Meta(description="The id of an instance, of quota, a service or a package.")]
    project_id: Annotated[Id, Meta(description="The project; `default` is the default project.")]


class ProjectDetail(Shape, kw_only=True):
    """A project of an account. Every account has a default one, which stays as it is."""

    project_id: Annotated[str, Meta(description="Its id; `default` for the default project.")]
    name: Annotated[str, Meta(description="Its name.")]
    description: Annotated[str, Meta(description="Free text.")]
    status: Annotated[ProjectStatus, Meta(description="Active; or Closed: nothing can be in it any more.")]
    creator: Annotated[str | None, Meta(description="The user who made it.")] = None
    create_time: Annotated[str | None, Meta(description="When it was made.")] = None
    closed_time: Annotated[str | None, Meta(description="When it was closed.")] = None


class ProjectList(Paged, kw_only=True):
    """The account's projects."""

    projects: Annotated[list[ProjectDetail], Meta(description="The projects.")]


class MovedResource(Shape, kw_only=True):
    """Where something is after a move."""

    resource_id: Annotated[str, Meta(description="Its id.")]
    project_id: Annotated[str, Meta(description="The project that it belongs to now.")]


_ATLAS: Final = {
    "projectId": "prj-k3j4h5g6f7d8",
    "name": "atlas",
    "description": "The maps.",
    "status": "Active",
    "creator": "f0e1d2c3b4a5968778695a4b3c2d1e0f",
    "createTime": "2026-11-30T06:13:45+08:00",
}
_DEFAULT: Final = {"projectId": "default", "name": "default", "description": "", "status": "Active"}

PROJECTS: Final = (
    write(
        PROJECT,
        "CreateProject",
        "create_project",
        CreateProjectRequest,
        ProjectDetail,
        "Make a project of the account.",
        policies=p.MANAGERS | p.OPERATORS,
        errors=(e.QUOTA_EXCEEDED,),
        example={"name": "atlas", "description": "The maps."},
        answer=_ATLAS,
    ),
    read(
        PROJECT,
        "DescribeProjects",
        "describe_projects",
        DescribeProjectsRequest,
        ProjectList,
        "List the account's projects.",
        across=p.HOUSE_READERS,
        errors=(e.INVALID_MARKER,),
        example={},
        answer={"projects": [_DEFAULT, _ATLAS]},
    ),
    write(
        PROJECT,
        "ModifyProject",
        "modify_project",
        ModifyProjectRequest,
        ProjectDetail,
        "Change the name or the description of a project.",
        policies=p.MANAGERS | p.OPERATORS,
        errors=(e.INVALID_STATE, e.OPERATION_NOT_SUPPORTED),
        example={"projectId": "prj-k3j4h5g6f7d8", "description": "The maps of 2030."},
        answer={**_ATLAS, "description": "The maps of 2030."},
    ),
    write(
        PROJECT,
        "CloseProject",
        "close_project",
        CloseProjectRequest,
        ProjectDetail,
        "Close a project; what it cost stays on record.",
        policies=p.MANAGERS | p.OPERATORS,
        errors=(e.INVALID_STATE, e.OPERATION_NOT_SUPPORTED),
        example={"projectId": "prj-k3j4h5g6f7d8"},
        answer={**_ATLAS, "status": "Closed", "closedTime": "2026-12-30T06:13:45+08:00"},
    ),
    write(
        PROJECT,
        "MoveResource",
        "move_resource",
        MoveResourceRequest,
        MovedResource,
        "Put an instance, quota, a service or a package into another project.",
        errors=(e.INVALID_STATE, e.QUOTA_EXCEEDED),
        example={"resourceId": "unit-xxx", "projectId": "default"},
        answer={"resourceId": "unit-xxx", "projectId": "default"},
    ),
)
