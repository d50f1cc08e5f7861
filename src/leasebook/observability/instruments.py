"""The counters, gauges and histograms of ``Metrics``, in one record for each subject."""

from __future__ import annotations

from typing import NamedTuple

from prometheus_client import Counter, Gauge, Histogram


class RefusalInstruments(NamedTuple):
    """Refused calls and commands."""

    commands: Counter
    unlisted: Counter
    throttled: Counter
    faults: Counter


class BatchInstruments(NamedTuple):
    """Batches, and the calls that wait for one."""

    size: Histogram
    seconds: Histogram
    commit_seconds: Histogram
    queue_length: Gauge
    calls_waiting: Gauge


class StoreInstruments(NamedTuple):
    """Whether the store can be reached and written."""

    writes_failed: Counter
    writes_failing: Gauge
    away: Gauge
    audit_lost: Counter


class DueInstruments(NamedTuple):
    """Due work, and the instances that it comes from."""

    lateness: Histogram
    oldest_overdue: Gauge
    done: Counter
    units: Gauge
    clock_paused: Gauge


class DeliveryInstruments(NamedTuple):
    """Deliveries of events, by all servers on the store and by this process."""

    attempts: Gauge
    deferred: Counter
    tried: Counter
    waiting: Gauge
    oldest_waiting: Gauge
    accounts_behind: Gauge


class StreamInstruments(NamedTuple):
    """Streams of events."""

    open: Gauge
    refused: Counter


class ReplicaInstruments(NamedTuple):
    """Replicas, and the steps that the reconciler takes with them."""

    by_state: Gauge
    instances_unrun: Gauge
    crash_loops: Gauge
    step_seconds: Histogram
    unserved: Gauge
    orphans: Counter
    engine_reachable: Gauge
