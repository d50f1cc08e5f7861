"""Gives an application to Ray Serve, confined to the room of its replica, and ends.

It is sent to the node as text and run with ``python -c``, in a process of its own, for it imports what people wrote. It
needs Ray with Serve, and nothing of Leasebook. The order comes in as one line of JSON; what goes wrong is
printed, and what went well tells the guard the port of Serve's proxies.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

NODE = "ray.io/node-id"
"""The label that every node of Ray's has by itself.

(The resources of the placement group would bind it closer, and must not be asked for from outside of it: a raylet that
removes a group while these are in use ends itself, and its node with it.)
"""
STARTS_MAX = 20
START_AGAIN_S = 0.5
OVERTIME_S = 10.0
"""How long after the grace Serve itself kills a replica. The guard kills it at the grace; this is for a lost guard."""


def connected(order: dict[str, Any]) -> Any:
    """Return a client of the cluster's Serve, which is started where there is none yet; others may do so just now."""
    from ray.serve._private.api import serve_start

    for _ in range(STARTS_MAX):
        try:
            return serve_start(http_options={"host": "0.0.0.0", "port": order["port"]}, proxy_location="EveryNode")  # noqa: S104 - callers come from other machines
        except Exception as error:  # noqa: BLE001 - whatever it was, the other's Serve is found the next time
            last = error
            time.sleep(START_AGAIN_S)
    raise last


def confined(deployment: Any, order: dict[str, Any]) -> Any:
    """Return a deployment whose replicas run on the node where room is held for the application, and nowhere else.

    They ask Ray for no resources, as the guard has taken them. Raises ValueError for one that asks for room beside it.
    """
    config, replica = deployment._deployment_config, deployment._replica_config  # noqa: SLF001 - Serve has no other way
    others = (replica.placement_group_bundles, config.gang_scheduling_config, config.deployment_actors)
    if any(others):
        raise ValueError(
            f"Deployment {deployment.name} asks for a placement group or actors of its own, beside the room that its "
            "replica has. Take that out of it."
        )
    runtime_env = dict(replica.ray_actor_options.get("runtime_env") or {})
    runtime_env["env_vars"] = {**runtime_env.get("env_vars", {}), **order["env"]}
    options = {"num_cpus": 0, "label_selector": {NODE: order["node"]}, "runtime_env": runtime_env}
    return deployment.options(ray_actor_options=options, graceful_shutdown_timeout_s=order["grace_s"] + OVERTIME_S)


def deploy(order: dict[str, Any]) -> None:
    """Import the module, build the application, and give it to Serve, which starts it."""
    import dataclasses

    from ray._common.utils import import_attr
    from ray.serve._private.api import call_user_app_builder_with_args_if_necessary
    from ray.serve._private.build_app import build_app

    application = call_user_app_builder_with_args_if_necessary(import_attr(order["application"]), order["arguments"])
    client = connected(order)
    built = build_app(application, name=order["name"], route_prefix=order["route"])
    built = dataclasses.replace(built, deployments=[confined(one, order) for one in built.deployments])
    if built.ingress_request_router_deployment is not None:
        raise ValueError("An application with an ingress request router of its own cannot be confined to its room.")
    client.deploy_applications([built], wait_for_applications_running=False)
    os.write(order["telling"], str(client.http_config.port).encode())


def main() -> None:
    """Connect, and do what the line says."""
    import ray

    order = json.loads(sys.stdin.readline())
    ray.init(address=order["address"], namespace="serve", log_to_driver=False, logging_level="ERROR")
    deploy(order)


if __name__ == "__main__":
    main()
