"""Ray Serve as the driver sees it: which applications of ours there are, and how to have one taken away.

Serve itself is not imported here, so that the control plane needs Ray only: its controller is an actor with a name, and
the actors of its replicas have names that begin with their application's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Final

import ray
from ray.exceptions import RayError
from ray.util import list_named_actors

from leasebook.engines.ray.controller import CONTROLLER, SERVE
from leasebook.engines.ray.messages import application_name

REPLICA: Final = "SERVE_REPLICA::"
DELETE_S: Final = 3.0


Actors = Iterable[Mapping[str, str]]


def _names(namespace: str, actors: Actors) -> dict[str, str]:
    """Return the replicas that Serve has actors of, each with the name of its application."""
    found = {}
    begin = f"{REPLICA}leasebook~{namespace}~"
    for actor in actors:
        if actor["namespace"] == SERVE and actor["name"].startswith(begin):
            name, _, group = actor["name"].partition("#")[0].removeprefix(begin).rpartition("~")
            found[name] = application_name(namespace, name, group)
    return found


def applications(namespace: str, actors: Actors) -> set[str]:
    """Return the replicas of a namespace whose application has actors, guarded or not."""
    return set(_names(namespace, actors))


def stray(namespace: str, name: str) -> list[str]:
    """Return the application that a replica without room or guard has left; none, mostly."""
    found = _names(namespace, list_named_actors(all_namespaces=True)).get(name)
    return [] if found is None else [found]


def delete(names: list[str]) -> None:
    """Have Serve forget applications without a guard, and kill their processes.

    Nothing where Serve does not run, or has none of them. A controller that does not answer gets the order all the
    same.
    """
    if not names:
        return
    with contextlib.suppress(ValueError, RayError):
        controller = ray.get_actor(CONTROLLER, namespace=SERVE)
        ray.get(controller.delete_apps.remote(names), timeout=DELETE_S)
    for actor in list_named_actors(all_namespaces=True):
        if actor["namespace"] == SERVE and actor["name"].removeprefix(REPLICA).partition("#")[0] in names:
            with contextlib.suppress(ValueError):
                ray.kill(ray.get_actor(actor["name"], namespace=SERVE))
