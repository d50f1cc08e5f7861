"""A Ray cluster of several nodes on this machine, in its own process: started by ``RayCluster``, controlled by lines.

As a module it is what tests use, and needs no Ray; run as a program it holds the cluster.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PATIENCE_S = 90
STORE_BYTES = 80 * 1024 * 1024
HEALTH = {
    "health_check_initial_delay_ms": 1000,
    "health_check_period_ms": 500,
    "health_check_failure_threshold": 4,
    # How long a node waits for a head that is gone before it gives up.
    "gcs_rpc_server_reconnect_timeout_s": 15,
}


class Redis:
    """A Redis server of its own, for a head that is to remember."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", self.folder.name, "--save", ""],
            stdout=subprocess.DEVNULL,
        )
        give_up = time.monotonic() + PATIENCE_S
        answers = False
        while not answers:
            assert time.monotonic() < give_up, "redis-server does not answer"
            with socket.socket() as attempt:
                answers = attempt.connect_ex(("127.0.0.1", port)) == 0

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()


class RayCluster:
    """A cluster with a head that has no units, and nodes that are added. Ends with ``close``, all of it."""

    def __init__(self, redis: str | None = None) -> None:
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__)), redis or ""],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env=os.environ | {"RAY_USAGE_STATS_ENABLED": "0"},
            start_new_session=True,
            text=True,
        )
        self.address: str = self._heard()["address"]

    shared: RayCluster | None = None
    """The one of this process, which all tests use: to start one takes ten seconds."""

    @classmethod
    def of_this_process(cls) -> RayCluster:
        """Return the cluster of this process. Its head remembers in Redis where there is a redis-server."""
        if cls.shared is None:
            redis = Redis() if shutil.which("redis-server") else None
            if redis is not None:
                atexit.register(redis.close)
            cls.shared = cls(redis.address if redis else None)
            atexit.register(cls.shared.close)
        return cls.shared

    def ask(self, **order: Any) -> dict[str, Any]:
        """Give an order, and return what came of it."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return self._heard()

    def _heard(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE_S)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            self.errors.seek(0)
            raise AssertionError(
                f"the process that holds the cluster has ended, or hangs: {self.errors.read()[-4000:]}"
            )
        heard: dict[str, Any] = json.loads(line)
        return heard

    def close(self) -> None:
        """End every process of the cluster."""
        with contextlib.suppress(Exception):
            self.ask(do="shutdown")
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            if stream is not None:
                stream.close()


def clear(address: str, *, applications: bool = True) -> None:
    """Take every actor and every placement group off a cluster, without any engine; Serve itself stays.

    Without ``applications`` those of Serve stay, too, and have no guard.
    """
    import ray
    from ray.util import list_named_actors, placement_group_table, remove_placement_group
    from ray.util.placement_group import PlacementGroup

    if not ray.is_initialized():
        ray.init(address=address, namespace="clear", log_to_driver=False)
    actors = list_named_actors(all_namespaces=True)
    for actor in actors:
        if actor["namespace"] != "serve":
            with contextlib.suppress(ValueError):
                ray.kill(ray.get_actor(actor["name"], actor["namespace"]))
    if applications and any(actor["namespace"] == "serve" for actor in actors):
        controller = ray.get_actor("SERVE_CONTROLLER_ACTOR", "serve")
        names = {actor["name"].partition("::")[2].partition("#")[0] for actor in actors if "::" in actor["name"]}
        ray.get(controller.delete_apps.remote(list(names)))
    for group, found in placement_group_table().items():
        if found["state"] != "REMOVED":
            remove_placement_group(PlacementGroup(ray.PlacementGroupID(bytes.fromhex(group))))


def apart(address: str, namespace: str, code: str, given: object = None) -> str:
    """Run some code that is connected to the cluster, with ``given``, and return what it prints.

    In a process of its own: one that is connected to a head does not outlive it.
    """
    begin = "import json, ray, sys; address, namespace, given = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]);"
    connect = "ray.init(address=address, namespace=namespace, log_to_driver=False);"
    command = [sys.executable, "-c", begin + connect + code, address, namespace, json.dumps(given)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


RESERVE = """
from ray.util import placement_group
group = placement_group([given["room"]], name=given["name"], lifetime="detached")
assert group.wait(20)
"""
"""Makes a placement group and leaves it, as an engine does that is killed in the midst of a start."""
GROUPS = """
from ray.util import placement_group_table
print(json.dumps([group["name"] for group in placement_group_table().values() if group["state"] != "REMOVED"]))
"""


def main(redis: str) -> None:
    """Hold a cluster and do what the lines say."""
    from ray.cluster_utils import Cluster

    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    if redis:
        os.environ["RAY_REDIS_ADDRESS"] = redis
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    head = {
        "num_cpus": 0,
        "gcs_server_port": port,
        "include_dashboard": False,
        "object_store_memory": STORE_BYTES,
        "_system_config": HEALTH,
    }
    cluster = Cluster(initialize_head=True, head_node_args=head)
    address = cluster.address
    nodes: dict[str, Any] = {}

    def do(order: dict[str, Any]) -> dict[str, Any]:
        match order["do"]:
            case "add":
                node = cluster.add_node(
                    num_cpus=order.get("cpus", 8),
                    num_gpus=order.get("gpus", 0),
                    resources=order["resources"],
                    object_store_memory=STORE_BYTES,
                )
                nodes[order["name"]] = node
            case "kill":
                # One that was killed already is not there to be killed again.
                if order["name"] in nodes:
                    cluster.remove_node(nodes.pop(order["name"]), allow_graceful=False)
            case "kill-gcs":
                cluster.head_node.kill_gcs_server()
            case "start-gcs":
                cluster.head_node.start_gcs_server()
            case "kill-head":
                cluster.head_node.kill_all_processes(check_alive=False, allow_graceful=False, wait=False)
                cluster.head_node = None
            case "start-head":
                # A head that knows nothing of the one before.
                os.environ.pop("RAY_REDIS_ADDRESS", None)
                cluster.add_node(**head, wait=False)
            case "gcs":
                return {"pid": cluster.head_node.all_processes["gcs_server"][0].process.pid}
            case "reserve":
                apart(address, order["namespace"], RESERVE, order)
            case "groups":
                return {"names": json.loads(apart(address, "looks", GROUPS))}
            case "clear":
                clear(address)
            case "unguard":
                clear(address, applications=False)
            case "no-serve":
                apart(address, "serve", "from ray import serve; serve.shutdown()")
            case "shutdown":
                cluster.shutdown()
        return {"address": address}

    print(json.dumps({"address": address}), file=out, flush=True)
    for line in sys.stdin:
        print(json.dumps(do(json.loads(line))), file=out, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
