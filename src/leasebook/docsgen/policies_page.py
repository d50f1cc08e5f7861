"""The page of policies: which of them permits which action, in the caller's own account and in every other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, get_args

from leasebook.contract import policies as p
from leasebook.contract.action import Action
from leasebook.contract.actions import permitted_operations

_INTRODUCTION: Final = """\
# Policies

This page is generated from the table of actions. A user needs one of the policies in an action's row; an action that
needs none is for every valid key. Managers of an account attach policies with AttachPolicy (`/v2/iam`). The policies
over every account are given and taken by operators only, and only operators make or disable the keys of users who hold
one.

"""
_ACROSS: Final = """\
`yes`: in the user's own account. `all`: in every account that the request names as `accountId`, the own one included.
A read that names no account is of the own one. A write in another account takes its id and a `reason`, which the
owner reads in the event.

"""
_FOR_PROJECTS: Final = """\
These policies can be attached for some projects of an account (AttachPolicy with `projectIds`). They then permit the
actions below, on what belongs to these projects: everything else answers as if it were not there. Every other action
takes a policy for the whole account. [Projects](../operating/projects.md) has the rules.

"""
_ALONE: Final = """
## Reads that name no other account

| Action | Reason |
|---|---|
"""


def policies_page() -> str:
    """Return the page."""
    names = get_args(p.PolicyName)
    ours = [name for name in names if name in p.OF_THE_HOUSE]
    own = [name for name in names if name not in p.OF_THE_HOUSE]
    rows = permitted_operations()
    return "".join(
        (
            _INTRODUCTION,
            "| Policy | Permits |\n|---|---|\n",
            *(f"| `{name}` | {p.MEANINGS[name]} |\n" for name in (*own, *ours)),
            "\n## In an account\n\n",
            _grid(own, rows),
            "\n## For projects\n\n",
            _FOR_PROJECTS,
            _project_grid([name for name in own if name in p.FOR_PROJECTS], rows),
            "\n## Over every account\n\n",
            _ACROSS,
            _grid(ours, rows),
            _ALONE,
            *(f"| `{one.path}` {one.name} | {one.own_only} |\n" for one in rows if one.own_only),
        )
    )


def _grid(names: Iterable[str], rows: Iterable[Action]) -> str:
    names = list(names)
    short = [name.removeprefix("Qianfan").removeprefix("Leasebook").removesuffix("Policy") for name in names]
    head = f"| Action | {' | '.join(short)} |\n|---{'|---' * len(names)}|\n"
    lines = [
        f"| `{one.path}` {one.name} | {' | '.join(_cell(one, name) for name in names)} |\n"
        for one in rows
        if not one.permitted.isdisjoint(names)
    ]
    return head + "".join(lines)


def _project_grid(names: list[str], rows: Iterable[Action]) -> str:
    short = [name.removeprefix("Qianfan").removesuffix("Policy") for name in names]
    head = f"| Action | {' | '.join(short)} |\n|---{'|---' * len(names)}|\n"
    lines = [
        f"| `{one.path}` {one.name} | {' | '.join('yes' if name in one.for_projects else '' for name in names)} |\n"
        for one in rows
        if one.for_projects
    ]
    return head + "".join(lines)


def _cell(action: Action, name: str) -> str:
    return "all" if name in action.across else "yes" if name in action.policies else ""
