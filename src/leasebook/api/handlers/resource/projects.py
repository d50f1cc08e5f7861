"""Projects of an account."""

from __future__ import annotations

from typing import Final

from leasebook.api.across import account_meant
from leasebook.api.context import Call, Context, Operation
from leasebook.api.fault import Fault, refused
from leasebook.api.handlers.account.limits import whose
from leasebook.api.ids import project_id
from leasebook.api.paging import part
from leasebook.api.presenters import projects as present
from leasebook.contract.errors import RESOURCE_NOT_FOUND
from leasebook.contract.nouns.resource import projects as c
from leasebook.domain.commands.project.move import MoveResource
from leasebook.domain.commands.project.project import CloseProject, CreateProject, ModifyProject, refuse_default
from leasebook.domain.model.resource.project import Project, stored_project
from leasebook.domain.values.refusal import Refusal


async def create_project(context: Context, call: Call[c.CreateProjectRequest]) -> c.ProjectDetail:
    """Make a project."""
    command = CreateProject(
        token=call.token(),
        account_id=whose(call, "projects"),
        by=call.caller.user_id,
        project_id=project_id(),
        name=call.request.name,
        description=call.request.description or "",
    )
    made: Project = await context.submit(call, command)
    return present.project(made, context.shown)


async def describe_projects(context: Context, call: Call[c.DescribeProjectsRequest]) -> c.ProjectList:
    """List the account's projects."""
    asked, account_id = call.request, account_meant(call)
    account, rows = await context.read(call, lambda ask: (ask.account(account_id), ask.projects(account_id)))
    if account is None:
        raise Fault(RESOURCE_NOT_FOUND, f"There is no account {account_id[:64]!r}.", "accountId")
    # The default project comes first. No project is ever deleted, so the places stay what they are.
    seen = [present.DEFAULT, *(present.project(row, context.shown) for row in rows)]
    listed = enumerate(one for one in seen if call.within is None or one.project_id in call.within)
    wanted = (("project_id", asked.project_id), ("name", asked.name), ("status", asked.status))
    found = [
        (place, one) for place, one in listed if all(value in (None, getattr(one, name)) for name, value in wanted)
    ]
    page, end = part(found, lambda one: one[:1], asked, f"projects {account_id} {wanted} {sorted(call.within or ())}")
    return c.ProjectList(projects=[one for _, one in page], **end)


async def modify_project(context: Context, call: Call[c.ModifyProjectRequest]) -> c.ProjectDetail:
    """Give a project another name or description."""
    _not_default(call.request.project_id)
    command = ModifyProject(
        token=call.token(),
        account_id=whose(call, "projects"),
        project_id=call.request.project_id,
        name=call.request.name,
        description=call.request.description,
    )
    changed: Project = await context.submit(call, command)
    return present.project(changed, context.shown)


async def close_project(context: Context, call: Call[c.CloseProjectRequest]) -> c.ProjectDetail:
    """Close a project for ever."""
    _not_default(call.request.project_id)
    command = CloseProject(
        token=call.token(),
        account_id=whose(call, "projects"),
        project_id=call.request.project_id,
        asked_at=context.clock.now(),
    )
    closed: Project = await context.submit(call, command)
    return present.project(closed, context.shown)


async def move_resource(context: Context, call: Call[c.MoveResourceRequest]) -> c.MovedResource:
    """Put something into another project."""
    asked = call.request
    command = MoveResource(
        token=call.token(),
        account_id=call.caller.account_id,
        resource_id=asked.resource_id,
        project_id=stored_project(asked.project_id),
    )
    await context.submit(call, command)
    return c.MovedResource(resource_id=asked.resource_id, project_id=asked.project_id)


def _not_default(project_id: str) -> None:
    try:
        refuse_default(project_id)
    except Refusal as refusal:
        raise refused(refusal) from None


OPERATIONS: Final[dict[str, Operation]] = {
    "create_project": create_project,
    "describe_projects": describe_projects,
    "modify_project": modify_project,
    "close_project": close_project,
    "move_resource": move_resource,
}
