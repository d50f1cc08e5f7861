"""Actions of replicas."""

from __future__ import annotations

from leasebook.contract import errors as e
from leasebook.contract.action import SERVICE, Action, read
from leasebook.contract.nouns import replica as r


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
