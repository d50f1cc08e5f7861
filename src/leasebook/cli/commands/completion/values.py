"""Completion of values: ids, types and regions, asked of the service in at most two seconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import click
from click.shell_completion import CompletionItem


class Source(NamedTuple):
    """Where the values of a field are listed: the module and operation, the rows, and two fields of each row."""

    module: str
    operation: str
    rows: str
    value: str
    beside: str


SOURCES: Final[dict[str, Source]] = {
    "instanceId": Source("instance", "describe_units", "computeUnitInstanceList", "instanceId", "type"),
    "serviceId": Source("service", "describe_services", "serviceList", "serviceId", "name"),
    "projectId": Source("resource.projects", "describe_projects", "projects", "projectId", "name"),
    "userId": Source("user", "describe_users", "users", "userId", "name"),
    "accountId": Source("account", "describe_accounts", "accounts", "accountId", "name"),
    "type": Source("offering", "describe_offerings", "offerings", "type", "region"),
    "region": Source("offering", "describe_offerings", "offerings", "region", "type"),
    "model": Source("offering", "describe_offerings", "offerings", "model", "region"),
    "subscriptionId": Source("subscription", "describe_subscriptions", "subscriptions", "subscriptionId", "name"),
    "approvalId": Source("approval.approvals", "describe_approvals", "approvals", "approvalId", "status"),
    "keyId": Source("service_call", "describe_service_keys", "keys", "keyId", "name"),
    "modelSetId": Source("model", "describe_model_sets", "modelSetList", "modelSetId", "modelSetName"),
}
Completing = Callable[[click.Context, click.Parameter, str], list[Any]]


def completing(name: str) -> Completing | None:
    """Return the completion of a field by its name on the wire; None: it has none."""
    if name == "policyName":
        return _policies
    source = SOURCES.get(name)
    if source is None:
        return None

    def complete(context: click.Context, _parameter: click.Parameter, start: str) -> list[Any]:
        return _listed(source, context, start)

    return complete


def _policies(_context: click.Context, _parameter: click.Parameter, start: str) -> list[Any]:
    from typing import get_args

    from leasebook.contract.policies import PolicyName

    return [name for name in get_args(PolicyName) if name.lower().startswith(start.lower())]


def _listed(source: Source, context: click.Context, start: str) -> list[Any]:
    from leasebook.cli.commands.actions import action_of
    from leasebook.cli.commands.calling.session import context_session
    from leasebook.client.errors import LeasebookError

    session = context_session(context)
    try:
        found = session.call(action_of(source.operation, source.module), {})
    except LeasebookError:
        # A shell that completes has no place for a message.
        return []
    finally:
        session.close()
    rows = found.get(source.rows) or ()
    beside = {row[source.value]: row.get(source.beside) for row in rows if row.get(source.value)}
    return [CompletionItem(value, help=text) for value, text in beside.items() if value.startswith(start)]
