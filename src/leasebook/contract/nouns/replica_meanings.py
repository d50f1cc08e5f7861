"""What the fields of the shapes mean, where they tell of replicas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

REPLICA_MEANINGS: Final[Mapping[str, str]] = {
    "ReplicaDetail.address": "Where it listens: host and port, a path if it shares them; null: nowhere, or not yet.",
    "DescribeReplicasRequest.instanceId": "Only those on this instance.",
    "ReplicaDetail.computeUnits": "How many of its instance's units it takes.",
    "ReplicaDetail.modelId": "The version of the model that it runs.",
    "ReplicaDetail.name": "What its engine calls this try; another one has another name.",
    "devices": "The accelerators that it owns.",
    "engine": "What runs it.",
    "engineEndTime": "When its engine ends it by itself, whoever is left to say so; null: never.",
    "linesMax": "How many lines at most, the last ones; 100 where it is left out.",
    "logLines": "The lines of both of its streams, oldest first.",
    "nextStartTime": "Before that it is not started again; null: nothing keeps it.",
    "node": "The machine whose server started it.",
    "replica": "Its number on the instance, from 0.",
    "Replicas.ready": "How many of the service's replicas are healthy, on all instances.",
    "replicas": "The replicas, by instance and number.",
    "replicaState": (
        "Starting: not healthy yet. Ready: healthy. Unhealthy: it was, and does not answer. Stopping: it was told to "
        "end. Gone: nothing of it is there. Failed: nothing of it is there, and it is started again."
    ),
    "restarts": "How often in a row it failed.",
    "stateSince": "Since when it is in that state.",
    "trouble": "What keeps its engine from doing what it is to do.",
    "why": "Why it is not well, or ended; or why there are no lines.",
}
