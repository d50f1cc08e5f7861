"""The packages that pyproject.toml declares, and the installed ones that they lead to."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


@cache
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def needs(extra: str = "") -> list[str]:
    """Return the requirements of the package by itself, or those that an extra adds."""
    project = pyproject()["project"]
    found: list[str] = project["optional-dependencies"][extra] if extra else project["dependencies"]
    return found


def names(requirements: Iterable[str]) -> set[str]:
    """The names of distributions, as indexes spell them."""
    return {canonicalize_name(Requirement(text).name) for text in requirements}


def closure(requirements: Iterable[str]) -> dict[str, metadata.Distribution]:
    """The distributions that these requirements lead to, all of them installed; raises PackageNotFoundError."""
    found: dict[str, metadata.Distribution] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        one = waiting.pop()
        name, extras = canonicalize_name(one.name), frozenset(one.extras)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        found[name] = metadata.distribution(name)
        waiting.extend(
            more
            for more in map(Requirement, found[name].requires or ())
            if more.marker is None or any(more.marker.evaluate({"extra": extra}) for extra in ("", *extras))
        )
    return found


@cache
def distributions_of_modules() -> Mapping[str, set[str]]:
    """For each importable name, the distributions that bring it."""
    return {module: set(map(canonicalize_name, of)) for module, of in metadata.packages_distributions().items()}


def modules(distributions: Iterable[str]) -> set[str]:
    """The names by which these distributions are imported."""
    wanted = set(distributions)
    return {module for module, of in distributions_of_modules().items() if of & wanted}
