"""Actions of replicas."""

from __future__ import annotations

from leasebook.wire import errors as e
from leasebook.wire import replica_shapes as r
from leasebook.wire.action import SERVICE, Action, read


def run_actions() -> list[Action]:
    """Return the actions of replicas."""
    return [
        read(
            SERVICE,
            "DescribeReplicas",
            "describe_replicas",
            r.DescribeReplicasRequest,
            r.Replicas,
            "Show a service's replicas and how they do.",
            errors=(e.SERVICE_NOT_FOUND, e.INSTANCE_NOT_FOUND, e.INVALID_MARKER),
        ),
        read(
            SERVICE,
            "DescribeReplicaLogs",
            "describe_replica_logs",
            r.DescribeReplicaLogsRequest,
            r.ReplicaLogs,
            "Show the last lines that a replica wrote, where this server reaches its engine.",
            errors=(e.SERVICE_NOT_FOUND, e.INSTANCE_NOT_FOUND),
        ),
    ]
