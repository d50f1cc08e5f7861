"""The driver: the one process of a control plane that is connected to a Ray cluster.

Ray ends a driver whose cluster is lost, and its calls can hang; so it is a process of its own, which the engine
(``ray.py``) starts, asks, and ends when it does not answer. By itself it knows only how long demands have been waiting
and which replicas it was asked to stop; all else is read from the cluster, so that any other driver can go on.

Each replica has a placement group, which holds its room, named ``NAMESPACE/REPLICA``, and in it an actor named
``NAMESPACE/REPLICA/GROUP-ID``. Ray lets a name be taken once at a time, which is what makes a start repeatable from
anywhere; and as a group's id is never used again, an actor that died is never taken for one of an earlier group.
"""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import ray
from ray import cloudpickle
from ray._private.state import actors as actor_table
from ray.exceptions import (
    ActorDiedError,
    ActorUnavailableError,
    GetTimeoutError,
    RayActorError,
    RayError,
)
from ray.util import (
    get_placement_group,
    list_named_actors,
    placement_group,
    placement_group_table,
    remove_placement_group,
)
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from leasebook.domain.model.replica import Seen, Wanted
from leasebook.engines.contract import CannotRun, NoRoom
from leasebook.engines.ray import actor as ray_actor
from leasebook.engines.ray import application as ray_application
from leasebook.engines.ray import application_state as ray_application_state
from leasebook.engines.ray import controller as ray_controller
from leasebook.engines.ray import deployment as ray_deployment
from leasebook.engines.ray import serve as ray_serve
from leasebook.engines.ray.messages import Config, application_name, hopeless, on_a_node, order_of, room_in_words

LOCKS = 64
ROOM_WAIT_S = 5.0
"""How long a start waits for room before it answers NoRoom.

A cluster with room gives it within milliseconds; room that has just been given back, after up to three seconds.
"""
BEGIN_WAIT_S = 30.0
"""How long a start waits for the actor: a worker process is started for it, which takes seconds on a busy node."""
ASK_WAIT_S = 3.0
REPORT_WAIT_S = 2.0
REMOVE_WAIT_S = 2.0
SWEEP_EVERY_S = 0.25
ENDED_LOGS = 100
ENDED_LINES = 200
"""How many logs of replicas that were cleared away are kept, and how many lines of each."""
LISTING_SHARE = 20.0
"""The time between two listings of the groups, as a multiple of the duration of the last one."""
OVERTIME_S = 10.0
"""How long after its grace a replica whose actor does not answer a stop is killed by Ray."""
GROUP_RESOURCE = re.compile(r"_group_(\d+_)?[0-9a-f]{36}$")

cloudpickle.register_pickle_by_value(ray_actor)
cloudpickle.register_pickle_by_value(ray_application)
cloudpickle.register_pickle_by_value(ray_application_state)
cloudpickle.register_pickle_by_value(ray_controller)
cloudpickle.register_pickle_by_value(ray_deployment)


class Driver:
    """The engine's methods, each for any of several threads. All raise the contract's exceptions."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._prefix = f"{config.namespace}/"
        self._keeper = (Path(__file__).parent / "keeper.py").read_text()
        self._deployer = (Path(__file__).parent / "deployer.py").read_text()
        self._locks = [threading.Lock() for _ in range(LOCKS)]
        self._handles: dict[str, Any] = {}
        self._reports: dict[str, dict[str, Any]] = {}
        self._asked: dict[str, float] = {}
        self._starting: dict[str, int] = {}
        self._stopping: dict[str, float] = {}
        self._rooms: dict[str, Any] = {}
        self._rooms_at = 0.0
        self._logs: dict[str, list[str]] = {}

    def _lock(self, name: str) -> threading.Lock:
        return self._locks[hash(name) % LOCKS]

    def _resource(self, unit_type: str) -> str:
        config = self._config
        return config.resources.get(unit_type, f"{config.resource_prefix}{unit_type}")

    def _group(self, name: str) -> Any:
        """Return the placement group of a replica; None where there is none."""
        try:
            return get_placement_group(self._prefix + name)
        except ValueError:
            return None

    def _actor(self, name: str, group: Any) -> Any:
        """Return the actor of a replica; None where it was not made yet, or has died."""
        return self._handle(f"{self._prefix}{name}/{group.id.hex()}")

    def _handle(self, actor_name: str) -> Any:
        if actor_name not in self._handles:
            try:
                self._handles[actor_name] = ray.get_actor(actor_name)
            except ValueError:
                return None
        return self._handles[actor_name]

    def _death(self, actor_name: str) -> str | None:
        """Return why an actor died; None where no actor of that name has died.

        Ray remembers its dead by the ten thousands: this is asked only where a group has no living actor.
        """
        for actor in actor_table(actor_state_name="DEAD").values():
            if actor["Name"] == actor_name:
                cause = str(actor["DeathCause"])
                return "node lost" if "NODE_DIED" in cause else "its actor died: " + " ".join(cause.split())[:300]
        return None

    def start(self, wanted: Wanted) -> None:
        """Reserve the room, then make the actor, which starts the command. Each step finds what was done before."""
        name = wanted.name
        why_not = hopeless(wanted, self._config.units_max)
        if why_not is not None:
            raise CannotRun(why_not)
        self._starting[name] = self._starting.get(name, 0) + 1
        try:
            with self._lock(name):
                group, actor = self._placed(wanted)
            if actor is not None:
                self._begun(name, group, actor)
        finally:
            self._starting[name] -= 1
            if not self._starting[name]:
                del self._starting[name]

    def _placed(self, wanted: Wanted) -> tuple[Any, Any]:
        """Return the group and the actor of a replica, made where they are missing; no actor where it has died."""
        name, spec = wanted.name, wanted.spec
        units = {self._resource(wanted.unit_type): float(wanted.units)}
        group = self._group(name)
        if group is None:
            room = dict(units)
            if spec.cpus:
                room["CPU"] = spec.cpus
            if spec.accelerators:
                room["GPU"] = float(spec.accelerators)
            if spec.memory_bytes:
                room["memory"] = float(spec.memory_bytes)
            group = self._reserve(name, room)
        actor = self._actor(name, group)
        if actor is not None:
            return group, actor
        actor_name = f"{self._prefix}{name}/{group.id.hex()}"
        if self._death(actor_name) is not None:
            return group, None
        if not group.wait(ROOM_WAIT_S):
            self._asked[name] = time.monotonic()
            raise NoRoom(f"There is no room now for {room_in_words(wanted, self._resource(wanted.unit_type))}.")
        application = spec.application is not None
        actor = (
            ray.remote(ray_application.Application if application else ray_actor.Replica)
            .options(
                name=actor_name,
                lifetime="detached",
                get_if_exists=True,
                # A guard that is started again takes away what its forerunner guarded.
                max_restarts=-1 if application else 0,
                max_task_retries=0,
                max_concurrency=8,
                num_cpus=spec.cpus or 0,
                num_gpus=spec.accelerators,
                memory=spec.memory_bytes or None,
                resources=units,
                scheduling_strategy=PlacementGroupSchedulingStrategy(
                    placement_group=group, placement_group_bundle_index=0
                ),
            )
            .remote(order_of(wanted, group.id.hex(), self._config), self._deployer if application else self._keeper)
        )
        self._handles[actor_name] = actor
        self._asked.pop(name, None)
        return group, actor

    def _reserve(self, name: str, room: dict[str, float]) -> Any:
        """Return a new group, or the one that another driver has just made."""
        try:
            return placement_group([room], strategy="STRICT_PACK", name=self._prefix + name, lifetime="detached")
        except RayError:
            group = self._group(name)
            if group is None:
                raise
            return group

    def _begun(self, name: str, group: Any, actor: Any) -> None:
        """Wait until the actor has started the command, or take it away where it could not."""
        try:
            outcome = ray.get(actor.outcome.remote(), timeout=BEGIN_WAIT_S)
        except (ActorDiedError, ActorUnavailableError):
            return
        if outcome:
            self._clear(name, group, actor)
        if "cannot" in outcome:
            raise CannotRun(outcome["cannot"])
        if "no_room" in outcome:
            raise NoRoom(outcome["no_room"])

    def stop(self, name: str, grace_s: float) -> None:
        """Have the actor end its command; the sweep clears away then. Without an actor, give the room back now."""
        with self._lock(name):
            group = self._group(name)
            if group is None:
                ray_serve.delete(ray_serve.stray(self._config.namespace, name))
                return
            actor = self._actor(name, group)
            if actor is None:
                self._clear(name, group, None)
                return
        kill_at = time.monotonic() + grace_s + OVERTIME_S
        self._stopping[name] = min(kill_at, self._stopping.get(name, kill_at))
        try:
            ray.get(actor.stop.remote(grace_s), timeout=ASK_WAIT_S)
        except (RayActorError, GetTimeoutError):
            # It has ended, or cannot be reached now: the sweep notices the one, and repeats the other.
            return

    def _clear(self, name: str, group: Any, actor: Any) -> None:
        """Take away the actor and its room, and wait a little for Ray to have done it.

        A guard that does not answer, or died for ever, may have left its application.
        """
        if actor is not None:
            self._keep_log(name, actor)
            ray.kill(actor, no_restart=True)
        ray_serve.delete([application_name(self._config.namespace, name, group.id.hex())])
        remove_placement_group(group)
        end = time.monotonic() + REMOVE_WAIT_S
        while time.monotonic() < end and placement_group_table(group).get("state") not in {None, "REMOVED"}:
            time.sleep(0.02)
        actor_name = f"{self._prefix}{name}/{group.id.hex()}"
        self._handles.pop(actor_name, None)
        self._reports.pop(actor_name, None)
        self._asked.pop(name, None)

    def _keep_log(self, name: str, actor: Any) -> None:
        try:
            self._logs[name] = ray.get(actor.tail.remote(ENDED_LINES), timeout=REPORT_WAIT_S)
        except RayError:
            return
        while len(self._logs) > ENDED_LOGS:
            self._logs.pop(next(iter(self._logs)), None)

    def sweep(self) -> None:
        """Clear away, for ever, replicas that were asked to stop and have ended, or do not end."""
        while True:
            time.sleep(SWEEP_EVERY_S)
            try:
                self._sweep_once()
            except (RayError, ValueError):
                # The cluster is in trouble: calls report it, and the next round clears the rest.
                continue

    def _sweep_once(self) -> None:
        names = list(self._stopping)
        groups = {name: self._group(name) for name in names}
        actors = {name: self._actor(name, group) for name, group in groups.items() if group is not None}
        reports = self._reports_of({name: actor for name, actor in actors.items() if actor is not None})
        for name in names:
            group, report = groups[name], reports.get(name)
            ended = isinstance(report, dict) and report["state"] == "Stopped"
            if group is None:
                self._stopping.pop(name, None)
            elif ended or isinstance(report, RayActorError) or time.monotonic() >= self._stopping.get(name, 0.0):
                self._clear(name, group, actors.get(name))

    def _reports_of(self, actors: dict[str, Any]) -> dict[str, dict[str, Any] | Exception]:
        """Ask many actors at once. One that does not answer in time is missing; a dead one is there as its error."""
        asked = {actor.report.remote(): name for name, actor in actors.items()}
        reports: dict[str, dict[str, Any] | Exception] = {}
        if not asked:
            return reports
        ready, _ = ray.wait(list(asked), num_returns=len(asked), timeout=REPORT_WAIT_S)
        for answer in ready:
            try:
                reports[asked[answer]] = ray.get(answer, timeout=REPORT_WAIT_S)
            except ActorUnavailableError:
                continue
            except RayActorError as error:
                reports[asked[answer]] = error
        return reports

    def observe(self) -> dict[str, Seen]:
        """Return all replicas in the namespace, of any driver."""
        rooms = self._listed_rooms()
        everybody = list_named_actors(all_namespaces=True)
        strays = ray_serve.applications(self._config.namespace, everybody)
        ours = {actor["name"] for actor in everybody if actor["namespace"] == self._config.namespace}
        living = {name for name in ours if name.startswith(self._prefix)}
        for forgotten in self._handles.keys() - living:
            self._handles.pop(forgotten, None)
            self._reports.pop(forgotten, None)
        actors = {name: handle for name in living if (handle := self._handle(name)) is not None}
        reports = self._reports_of(actors)
        hosts = {node["NodeManagerAddress"] for node in ray.nodes()}
        found: dict[str, Seen] = {}
        dead: set[str] = set()
        for actor_name in actors:
            name = actor_name.removeprefix(self._prefix).rpartition("/")[0]
            report = reports.get(actor_name)
            if isinstance(report, Exception):
                dead.add(actor_name)
                continue
            seen = self._seen(name, actor_name, report)
            found[name] = msgspec.structs.replace(seen, address=on_a_node(seen.address, hosts))
        self._see_rooms(rooms, found, living - dead)
        for name in strays - found.keys():
            if self._group(name) is None:
                found[name] = Seen(name=name, state="Exited", reason="its guard is gone, and Serve still runs it")
        return found

    def _seen(self, name: str, actor_name: str, report: dict[str, Any] | None) -> Seen:
        """Return a replica as its actor reports it, or as it was last reported where the actor does not answer."""
        if report is not None:
            self._reports[actor_name] = report
        follows = report is None and self._restarts(actor_name)
        known = self._reports.get(actor_name)
        if known is None and not follows:
            return Seen(name=name, state="Starting", reason="its actor does not answer yet")
        known = known or {"state": "Exited", "address": None, "reason": None, "devices": []}
        state, reason = known["state"], known["reason"]
        if state == "Stopped":
            # It was asked to stop, perhaps by an earlier driver: the sweep clears it away.
            self._stopping.setdefault(name, time.monotonic() + OVERTIME_S)
        if state == "Stopped" or name in self._stopping:
            state = "Stopping"
        elif follows:
            state, reason = "Exited", "its guard died, or the node was lost"
        elif report is None:
            state, reason = "Unhealthy", "its actor does not answer; its node may be cut off"
        return Seen(name=name, state=state, address=known["address"], reason=reason, devices=tuple(known["devices"]))

    def _restarts(self, actor_name: str) -> bool:
        """Whether an actor died, and Ray has started it again or waits for a node where it can. Only guards are."""
        handle = self._handles.get(actor_name)
        found = {} if handle is None else actor_table(actor_id=handle._actor_id.hex())  # noqa: SLF001 - Ray tells no other way
        return found.get("State") == "RESTARTING" or bool(found.get("NumRestarts"))

    def _listed_rooms(self) -> dict[str, Any]:
        """Return the placement groups of the cluster, as they are or were a little while ago.

        Ray lists every group that there ever was (measured: 30 µs each), so it is asked the more seldom the longer it
        takes. Who uses the list looks again at what matters.
        """
        now = time.monotonic()
        if now >= self._rooms_at:
            listed = placement_group_table()
            self._rooms = {group_id: room for group_id, room in listed.items() if room["state"] != "REMOVED"}
            self._rooms_at = now + LISTING_SHARE * (time.monotonic() - now)
        return self._rooms

    def _see_rooms(self, rooms: dict[str, Any], found: dict[str, Seen], living: set[str]) -> None:
        """Add replicas with room and no living actor, and withdraw demands that have not been asked for in a while.

        The rooms were listed before the actors were; where one has neither, that is looked at once more.
        """
        now = time.monotonic()
        for group_id, room in rooms.items():
            actor_name = f"{room['name']}/{group_id}"
            if not actor_name.startswith(self._prefix) or actor_name in living:
                continue
            name = room["name"].removeprefix(self._prefix)
            group = self._group(name)
            if group is None or group.id.hex() != group_id:
                continue
            if placement_group_table(group)["state"] in {"PENDING", "PREPARED"}:
                self._asked.setdefault(name, now)
            if name in self._asked:
                if now - self._asked[name] >= self._config.demand_s:
                    self._withdraw(name)
                continue
            death = self._death(actor_name)
            if name in self._stopping:
                found[name] = Seen(name=name, state="Stopping", reason=death)
            elif death is not None:
                found[name] = Seen(name=name, state="Exited", reason=death)
            elif name in self._starting or self._actor(name, group) is not None:
                found[name] = Seen(name=name, state="Starting", reason="its actor is being started")
            else:
                reason = "its start was cut short: it has room, and nothing runs in it"
                found[name] = Seen(name=name, state="Exited", reason=reason)

    def _withdraw(self, name: str) -> None:
        with self._lock(name):
            group = self._group(name)
            if group is not None and self._actor(name, group) is None:
                self._clear(name, group, None)

    def _living(self, name: str) -> Any:
        group = self._group(name)
        return None if group is None else self._actor(name, group)

    def end_in(self, name: str, seconds: float | None) -> None:
        """Tell the actor, and through it the keeper, which counts on the node's own clock."""
        actor = self._living(name)
        if actor is not None:
            try:
                ray.get(_ordered_to_end_in(actor, seconds), timeout=ASK_WAIT_S)
            except ActorDiedError:
                return

    def logs(self, name: str, lines_max: int) -> list[str]:
        """Return the last lines, from the memory of the actor, or of this driver where it cleared the replica away."""
        actor = self._living(name)
        if actor is None:
            return self._logs.get(name, [])[-lines_max:] if lines_max > 0 else []
        try:
            lines: list[str] = ray.get(actor.tail.remote(lines_max), timeout=ASK_WAIT_S)
        except ActorDiedError:
            return []
        return lines

    def capacity(self) -> dict[str, int]:
        """Return the units of each type that the living nodes declare as custom resources, used ones included."""
        config, units = self._config, {}
        types = {resource: unit_type for unit_type, resource in config.resources.items()}
        for resource, amount in ray.cluster_resources().items():
            if GROUP_RESOURCE.search(resource):
                continue
            if resource in types:
                units[types[resource]] = int(amount)
            elif resource.startswith(config.resource_prefix):
                units[resource.removeprefix(config.resource_prefix)] = int(amount)
        return units


def _ordered_to_end_in(actor: Any, seconds: float | None) -> Any:
    """Tell an actor in how many seconds to end; one that a server before 0.2 made goes by the clock of the day."""
    if hasattr(actor, "end_in"):
        return actor.end_in.remote(seconds)
    return actor.set_deadline.remote(None if seconds is None else time.time() + seconds)
