"""Hints for a call to an action that does not exist: the nearest action or path, and how to call one."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Final

from leasebook.contract.action import FAULTS, Action
from leasebook.contract.actions import ACTIONS

ACTION_MAX: Final = 64
PATH_MAX: Final = 128
LISTED_MAX: Final = 10
PAGES: Final = ("/healthz", "/readyz", "/openapi.json")
"""Paths that need no signature and are no actions."""
# Only a server that was started with faults has their actions, so that no other should name them.
_HINTED: Final = tuple(action for action in ACTIONS if action.path != FAULTS)
_PATHS: Final = tuple(dict.fromkeys(action.path for action in _HINTED))
_AT: Final = {path: tuple(action.name for action in _HINTED if action.path == path) for path in _PATHS}
_NAMES: Final = tuple(dict.fromkeys(action.name for action in _HINTED))


def no_such(path: str, name: str, parameters: Sequence[str] = ()) -> str:
    """Say that there is no action of that name at that path, and which is nearest. Both are cut where they are long.

    ``parameters`` are those of the query that no action has: one may be the action's, misspelt.
    """
    misspelt = next((one for one in parameters if nearest_of(one[:ACTION_MAX], ("Action",))), "")
    return _no_such(path[:PATH_MAX], name[:ACTION_MAX], "" if name else misspelt[:ACTION_MAX])


@lru_cache(maxsize=512)
def _no_such(path: str, name: str, misspelt: str) -> str:
    if misspelt:
        what = f"No action was named: the parameter of the query is spelled Action, not {misspelt!r}."
    elif not name:
        what = f"No action was named, and {path!r} alone is none: send POST PATH?Action=NAME."
    else:
        what = f"There is no action {name!r} at {path!r}."
    return f"{what} {_nearest(path, name)}"


def _nearest(path: str, name: str) -> str:
    near_path = nearest_of(path.rstrip("/") or "/", _PATHS)
    if name:
        # The names of a path first: the same name at another path is another action there.
        for place in (near_path, None):
            found = nearest_of(name, _NAMES if place is None else _AT[place])
            if found is not None:
                paths = [place] if place is not None else [one for one in _PATHS if found in _AT[one]]
                return f"The nearest is {' or '.join(_called(one, found) for one in paths)}."
    if near_path is not None:
        names = _AT[near_path]
        more = f" and {len(names) - LISTED_MAX} more" if len(names) > LISTED_MAX else ""
        return f"The actions at {near_path} are {', '.join(names[:LISTED_MAX])}{more}."
    page = None if name else nearest_of(path.rstrip("/"), PAGES)
    if page is not None:
        return f"The nearest is GET {page}."
    return f"The paths are {', '.join(_PATHS)}."


def _called(path: str, name: str) -> str:
    return f"POST {path}?Action={name}"


def nearest_of(given: str, names: tuple[str, ...]) -> str | None:
    """Return the name that is most like what was given; None where none is."""
    if given in names:
        return given
    by_small = {name.lower(): name for name in names}
    found = get_close_matches(given.lower(), by_small, n=1, cutoff=0.7)
    return by_small[found[0]] if found else None


def wrong_method(action: Action, method: str) -> str:
    """Say how an action is called that was called with another method."""
    more = ", or with GET" if action.follows else ""
    return (
        f"Actions are called with POST{more}, not {method[:16]}: {_called(action.path, action.name)}, signed, with a "
        "body in JSON (leasebook call and leasebook sign do it)."
    )
