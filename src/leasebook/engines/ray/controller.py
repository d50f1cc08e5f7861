"""Ray Serve on the cluster of a guard: its controller, which knows the applications, and its HTTP proxies.

The module is sent to the nodes by value: it imports the standard library, and Ray where it is.
"""

from __future__ import annotations

import importlib.util
import pathlib
import sys
from typing import Any, NamedTuple

CONTROLLER, PROXY, SERVE = "SERVE_CONTROLLER_ACTOR", "SERVE_PROXY_ACTOR-", "serve"
"""The name of Serve's controller, the prefix of a proxy's name before its node, and the namespace of all its actors."""
ANSWER_S = 3.0
"""How long Serve's controller may take to answer."""
WORDS_MAX = 600
"""How many characters of Serve's message are passed on: its end, where the error is."""
MESSAGES = "serve_pb2_of_the_guard"


def serve_messages() -> Any:
    """Return the messages that Serve's controller speaks, without all of Serve, which takes seconds to import."""
    import ray

    if MESSAGES in sys.modules:
        return sys.modules[MESSAGES]
    path = pathlib.Path(ray.__file__).with_name("serve") / "generated" / "serve_pb2.py"
    spec = importlib.util.spec_from_file_location(MESSAGES, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"there is no {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[MESSAGES] = module
    return module


class ServeStatus(NamedTuple):
    """Serve's status of an application, without its prefix, and the reason in words."""

    status: str
    words: str


class Controller:
    """Serve's controller. It is looked for again after it gave no answer."""

    def __init__(self, application: str) -> None:
        self._application = application
        self._actor: Any = None

    def _found(self) -> Any:
        """Return the controller's actor; raises ValueError where Serve does not run.

        To look for it takes the head, which a deadline is not to wait for.
        """
        import ray

        if self._actor is None:
            self._actor = ray.get_actor(CONTROLLER, namespace=SERVE)
        return self._actor

    def status(self) -> ServeStatus:
        """Return how the application is. ``NOT_STARTED``: Serve does not run, or has none; ``UNKNOWN``: no answer."""
        import ray

        messages = serve_messages()
        try:
            asked = self._found().get_serve_status.remote(self._application)
            found = messages.StatusOverview.FromString(ray.get(asked, timeout=ANSWER_S))
        except ValueError:
            return ServeStatus("NOT_STARTED", "Serve does not run")
        except Exception as error:  # noqa: BLE001 - Ray's errors are of many kinds
            self._actor = None
            return ServeStatus("UNKNOWN", f"Serve's controller does not answer: {type(error).__name__}")
        deployments = found.deployment_statuses.deployment_status_infos
        words = " ".join(filter(None, [found.app_status.message, *(one.message for one in deployments)]))
        status = messages.ApplicationStatus.Name(found.app_status.status).removeprefix("APPLICATION_STATUS_")
        return ServeStatus(status, " ".join(words.split())[-WORDS_MAX:])

    def delete(self) -> None:
        """Have the application taken away, and wait for nothing. Raises what Ray raises where it cannot be asked."""
        self._found().delete_apps.remote([self._application])


def proxy_nodes() -> set[str]:
    """Return the nodes that have one of Serve's HTTP proxies."""
    from ray.util import list_named_actors

    names = [actor["name"] for actor in list_named_actors(all_namespaces=True)]
    return {name.removeprefix(PROXY) for name in names if name.startswith(PROXY)}


def hosts_of(nodes: set[str]) -> list[str]:
    """Return the hosts of those nodes that are alive."""
    import ray

    return [node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"] and node["NodeID"] in nodes]
