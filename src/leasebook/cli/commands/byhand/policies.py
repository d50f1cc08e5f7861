"""The command ``policies list``: the policies of the contract, without a call to the service."""

from __future__ import annotations

import os
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

import click

from leasebook.cli.commands.language import _, of_contract

if TYPE_CHECKING:
    from collections.abc import Iterator

OWN: Final = "account"
PROJECTS: Final = "account, projects"
EVERY: Final = "every account"


class Policies(click.Command):
    """Lists the policies; of one that is named, the actions that it permits."""

    def __init__(self) -> None:
        from leasebook.cli.commands.generated.options import shape_options

        super().__init__(
            "list",
            params=[click.Argument(["policy"], required=False), *shape_options()],
            callback=_listed,
            help=_("List the policies, and what each permits. With the name of a POLICY, list the actions of it."),
        )


def _listed(policy: str | None, output: str | None, query: str | None, columns: str | None, no_color: bool) -> None:  # noqa: FBT001
    from leasebook.cli.commands.actions import action_of
    from leasebook.cli.commands.showing.output import FORMS, View, is_screen, show
    from leasebook.contract.policies import POLICY_NAMES

    chosen = tuple(one for one in (columns or "").split(",") if one)
    form = output or (FORMS[0] if is_screen() or chosen else FORMS[1])
    colour = is_screen() and not no_color and not os.environ.get("NO_COLOR")
    view = View(form, query, chosen, colour)
    if policy is None:
        found = [_shown(name, with_actions=not view.is_table) for name in POLICY_NAMES]
    else:
        found = list(_permitted(_known(policy, POLICY_NAMES)))
    show(view, action_of("attach_policy", "user"), found)


def _known(given: str, names: tuple[str, ...]) -> str:
    """Return the policy of a name, in any case. Raises BadParameter, which names the nearest one."""
    by_small = {name.lower(): name for name in names}
    if given.lower() in by_small:
        return by_small[given.lower()]
    near = get_close_matches(given.lower(), by_small, n=1, cutoff=0.3)
    more = _(" Do you mean {name}?").format(name=by_small[near[0]]) if near else ""
    raise click.BadParameter(
        _("there is no policy {name}.{more} There are: {names}.").format(name=given, more=more, names=", ".join(names)),
        param_hint="POLICY",
    )


def _shown(name: str, *, with_actions: bool) -> dict[str, Any]:
    from leasebook.contract import policies as p

    scope = EVERY if name in p.OF_THE_HOUSE else PROJECTS if name in p.FOR_PROJECTS else OWN
    row: dict[str, Any] = {"policy": name, "scope": scope, "permits": of_contract(p.MEANINGS[name])}
    return row | {"actions": [f"{one['path']} {one['action']}" for one in _permitted(name)]} if with_actions else row


def _permitted(name: str) -> Iterator[dict[str, Any]]:
    """Yield the actions that a policy permits, and whether in the own account, its projects, or every account."""
    from leasebook.contract.actions import permitted_operations

    for action in permitted_operations():
        scopes = (
            ("account", name in action.policies),
            ("projects", name in action.for_projects),
            ("every account", name in action.across),
        )
        where = [scope for scope, holds in scopes if holds]
        if where:
            yield {
                "path": action.path,
                "action": action.name,
                "scope": ", ".join(where),
                "summary": of_contract(action.summary),
            }
