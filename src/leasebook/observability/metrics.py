"""Metrics under fixed names."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isinf
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from leasebook import __version__
from leasebook.domain.model.engine_capacity import TypeCapacity
from leasebook.observability.business_metrics import BusinessMetrics
from leasebook.observability.connection_metrics import ConnectionMetrics
from leasebook.observability.console_metrics import ConsoleMetrics
from leasebook.observability.cost_metrics import CostMetrics
from leasebook.observability.export_metrics import ExportMetrics
from leasebook.observability.gateway_metrics import GatewayMetrics
from leasebook.observability.instruments import (
    BatchInstruments,
    DeliveryInstruments,
    DueInstruments,
    RefusalInstruments,
    ReplicaInstruments,
    StoreInstruments,
    StreamInstruments,
)
from leasebook.observability.log_store_metrics import LogStoreMetrics
from leasebook.observability.process_metrics import ProcessMetrics
from leasebook.observability.request_metrics import Family, RequestCounts
from leasebook.observability.stock_metrics import StockMetrics

_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SIZES: Final = tuple(2**power for power in range(11))
_LATENESS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)


class Metrics:
    """All metrics of one service, in a registry of their own; names and labels are append-only."""

    def __init__(self, version: str = __version__) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the names without further information
        self._registry = CollectorRegistry()
        self._requests = RequestCounts(_SECONDS)
        self._collected(self._requests, self._requests.families)
        self._collected(ProcessMetrics(), ProcessMetrics.families)
        self._refusals = self._refusal_instruments()
        self._batches = self._batch_instruments()
        self._store = self._store_instruments()
        self._due = self._due_instruments()
        self._due_children: dict[str, Callable[[], None]] = {}
        self._deliveries = self._delivery_instruments()
        self.gateway = GatewayMetrics(self._counter, self._gauge, self._histogram, _SECONDS)
        self._streams = self._stream_instruments()
        self._replicas = self._replica_instruments()
        self._stock = StockMetrics(self._gauge)
        self.connections = ConnectionMetrics(self._counter, self._gauge)
        self.cost_exports = ExportMetrics(self._counter, self._gauge)
        self.log_store = LogStoreMetrics(self._counter, self._gauge)
        self.business = BusinessMetrics(self._gauge)
        self.costs = CostMetrics(self._gauge)
        self.console = ConsoleMetrics(self._counter)
        self._gauge("leasebook_build_info", "The running version, as a label.", "version").labels(version).set(1)

    def _refusal_instruments(self) -> RefusalInstruments:
        return RefusalInstruments(
            commands=self._counter("leasebook_refusals_total", "Commands refused, by error code.", "code"),
            unlisted=self._counter(
                "leasebook_refused_calls_unlisted_total",
                "Calls refused before the caller was authenticated that are counted only in the overflow row of their "
                "log.",
            ),
            throttled=self._counter(
                "leasebook_throttled_total",
                "Calls refused because their key or their account exceeds its rate limit.",
                "by",
            ),
            faults=self._counter(
                "leasebook_faults_total", "Faults that were made because an operator set them, by kind.", "kind"
            ),
        )

    def _batch_instruments(self) -> BatchInstruments:
        return BatchInstruments(
            size=self._histogram("leasebook_batch_size", "Commands decided in one batch.", _SIZES),
            seconds=self._histogram(
                "leasebook_batch_seconds", "Time of a batch: load, decide, save and commit.", _SECONDS
            ),
            commit_seconds=self._histogram("leasebook_commit_seconds", "Time of a batch's commit.", _SECONDS),
            queue_length=self._gauge("leasebook_queue_length", "Commands waiting for a batch."),
            calls_waiting=self._gauge(
                "leasebook_calls_waiting",
                "Calls waiting: for their account's turn (turn), for rows locked by another session of the database "
                "(rows), or for memory for their bodies (room).",
                "for",
            ),
        )

    def _store_instruments(self) -> StoreInstruments:
        return StoreInstruments(
            writes_failed=self._counter(
                "leasebook_store_writes_failed_total",
                "Batches that the store failed to write, by outcome: refused (nothing was done) or unknown.",
                "outcome",
            ),
            writes_failing=self._gauge(
                "leasebook_store_writes_failing_seconds",
                "Seconds for which the store has been unwritable; 0 while it can be written.",
            ),
            away=self._gauge(
                "leasebook_store_away_seconds",
                "Seconds for which the shared store has been away; 0 while it is there.",
                "for",
            ),
            audit_lost=self._counter(
                "leasebook_audit_lost_total",
                "Audit entries that could not be written to the store; the log has them as errors.",
            ),
        )

    def _due_instruments(self) -> DueInstruments:
        return DueInstruments(
            lateness=self._histogram(
                "leasebook_release_lateness_seconds",
                "Seconds between the due time of a release and its decision.",
                _LATENESS,
            ),
            oldest_overdue=self._gauge(
                "leasebook_oldest_overdue_release_seconds",
                "Seconds by which the oldest due release is late.",
                of_store=True,
            ),
            done=self._counter("leasebook_due_done_total", "Due work done, by kind.", "kind"),
            units=self._gauge("leasebook_units", "Compute-unit instances, by status.", "status", of_store=True),
            clock_paused=self._gauge("leasebook_clock_held", "1 while a clock jump pauses all due work, otherwise 0."),
        )

    def _delivery_instruments(self) -> DeliveryInstruments:
        return DeliveryInstruments(
            attempts=self._gauge(
                "leasebook_delivery_attempts",
                "Running delivery attempts of this process, to quick and to slow receivers.",
                "pace",
            ),
            deferred=self._counter(
                "leasebook_deliveries_held_total",
                "Due deliveries that had to wait, by the limit that applied.",
                "limit",
            ),
            tried=self._counter(
                "leasebook_deliveries_total",
                "Attempts to deliver an event, by kind of receiver and result.",
                "kind",
                "result",
            ),
            waiting=self._gauge(
                "leasebook_deliveries_waiting", "Waiting deliveries, of all servers on the store.", of_store=True
            ),
            oldest_waiting=self._gauge(
                "leasebook_oldest_waiting_delivery_seconds", "Age of the oldest waiting delivery.", of_store=True
            ),
            accounts_behind=self._gauge(
                "leasebook_subscription_accounts_behind",
                "Accounts whose events operators' subscriptions have yet to look through, as this process knows them.",
            ),
        )

    def _stream_instruments(self) -> StreamInstruments:
        return StreamInstruments(
            open=self._gauge("leasebook_event_streams", "Open streams of events."),
            refused=self._counter(
                "leasebook_event_streams_refused_total", "Streams of events refused because a limit was reached."
            ),
        )

    def _replica_instruments(self) -> ReplicaInstruments:
        return ReplicaInstruments(
            by_state=self._gauge(
                "leasebook_replicas", "Replicas, except those that are gone, by state.", "state", of_store=True
            ),
            instances_unrun=self._gauge(
                "leasebook_instances_unrun",
                "Instances with replicas of services that no engine will run.",
                of_store=True,
            ),
            crash_loops=self._gauge(
                "leasebook_crash_loops",
                "Crash loops: services without a healthy replica on a paid instance for crash_loop_minutes.",
                of_store=True,
            ),
            step_seconds=self._histogram(
                "leasebook_reconciler_step_seconds",
                "Time of a step of the reconciler, by kind of step.",
                _SECONDS,
                "step",
            ),
            unserved=self._gauge(
                "leasebook_replicas_unserved",
                "Live replicas that no server looks after, by engine.",
                "engine",
                of_store=True,
            ),
            orphans=self._counter(
                "leasebook_orphans_stopped_total",
                "Replicas stopped because the books have no instance for them.",
                "engine",
            ),
            engine_reachable=self._gauge(
                "leasebook_engine_reachable", "1 while the engine is reachable, otherwise 0.", "engine"
            ),
        )

    def _collected(self, collector: Collector, _families: Iterable[Family]) -> None:
        """Register a collector that counts these metrics itself."""
        self._registry.register(collector)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(name, meaning, labels, registry=self._registry)

    def _gauge(self, name: str, meaning: str, *labels: str, of_store: bool = False) -> Gauge:
        """Make a gauge; ``of_store``: every server on a store shows the same value, that of the whole store."""
        del of_store  # for the page
        return Gauge(name, meaning, labels, registry=self._registry)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, meaning, labels, buckets=buckets, registry=self._registry)

    def request_done(self, path: str, action: str, status: int, code: str, seconds: float) -> None:
        """Count an answered request. `code` is the error code, "" for a success.

        Every new combination costs memory for ever: callers pass "unknown" for a path or an action that is
        not ours.
        """
        self._requests.done((path, action, status, code), seconds)

    def refused(self, code: str) -> None:
        """Count a command that was refused with this error code (decision 19)."""
        self._refusals.commands.labels(code).inc()

    def refused_unlisted(self) -> None:
        """Count a refused call that has no row of its own in the log of refused calls."""
        self._refusals.unlisted.inc()

    def batch_done(self, size: int, seconds: float, commit_seconds: float) -> None:
        """Record a batch: its commands, and the seconds that all of it and its commit took."""
        self._batches.size.observe(size)
        self._batches.seconds.observe(seconds)
        self._batches.commit_seconds.observe(commit_seconds)

    def writes_failed(self, outcome: str) -> None:
        """Count a batch that the store failed to write: ``refused``, or ``unknown``."""
        self._store.writes_failed.labels(outcome).inc()

    def writes_failing(self, seconds: Callable[[], float]) -> None:
        """Register the function that returns for how many seconds the store has been unwritable."""
        self._store.writes_failing.set_function(seconds)

    def queue_length(self, length: int) -> None:
        """Set the number of commands waiting for a batch."""
        self._batches.queue_length.set(length)

    def calls_waiting(self, counts: Mapping[Literal["turn", "rows", "room"], Callable[[], int]]) -> None:
        """Register the functions that count waiting calls, by reason."""
        for what, count in counts.items():
            self._batches.calls_waiting.labels(what).set_function(count)

    def store_away(self, seconds: Mapping[Literal["writing", "reading"], Callable[[], float]]) -> None:
        """Register the functions that return for how many seconds the shared store has been away."""
        for use, away_s in seconds.items():
            self._store.away.labels(use).set_function(away_s)

    def fault_made(self, kind: str) -> None:
        """Count a fault that was asked for."""
        self._refusals.faults.labels(kind).inc()

    def throttled(self, by: Literal["key", "account"]) -> None:
        """Count a call that exceeded the rate limit of its key or its account."""
        self._refusals.throttled.labels(by).inc()

    def due_done(self, kind: str, lateness_seconds: float) -> None:
        """Count a piece of due work; kinds with "release" in their name also record their lateness."""
        count = self._due_children.get(kind)
        if count is None:
            count = self._due_children[kind] = self._due.done.labels(kind).inc
        count()
        if "release" in kind:
            self._due.lateness.observe(lateness_seconds)

    def done_by_kind(self) -> Mapping[str, int]:
        """Return how much due work was done, by kind."""
        (family,) = self._due.done.collect()
        return {one.labels["kind"]: int(one.value) for one in family.samples}

    def release_lateness(self) -> Sequence[tuple[float | None, int]]:
        """Return, by upper bound of the lateness in seconds (None: no bound), the releases beyond the bound before."""
        (family,) = self._due.lateness.collect()
        up_to = [(float(one.labels["le"]), int(one.value)) for one in family.samples if "le" in one.labels]
        fewer = [0, *(count for _, count in up_to)]
        return [
            (None if isinf(bound) else bound, count - before)
            for (bound, count), before in zip(up_to, fewer, strict=False)
        ]

    def oldest_overdue_release(self, seconds: float) -> None:
        """Set the age in seconds of the oldest release that is due and not done; 0 when there is none."""
        self._due.oldest_overdue.set(seconds)

    def units(self, by_status: Mapping[str, int]) -> None:
        """Set how many instances there are in each status; statuses that are left out have none."""
        self._due.units.clear()
        for status, count in by_status.items():
            self._due.units.labels(status).set(count)

    def clock_paused(self, *, paused: bool) -> None:
        """Set whether a clock jump pauses all due work (decision 6a)."""
        self._due.clock_paused.set(paused)

    def audit_lost(self, entries: int) -> None:
        """Count audit entries that went to the log because they could not be written to the store."""
        self._store.audit_lost.inc(entries)

    def delivery_tried(self, kind: str, result: str) -> None:
        """Count an attempt to deliver an event."""
        self._deliveries.tried.labels(kind, result).inc()

    def attempts_under_way(self, quick: int, slow: int) -> None:
        """Set how many attempts to deliver are under way."""
        self._deliveries.attempts.labels("quick").set(quick)
        self._deliveries.attempts.labels("slow").set(slow)

    def accounts_behind(self, count: int) -> None:
        """Set in how many accounts operators' subscriptions have events to look through."""
        self._deliveries.accounts_behind.set(count)

    def delivery_deferred(self, limit: str, count: int) -> None:
        """Count deliveries that were due and waited for a place."""
        self._deliveries.deferred.labels(limit).inc(count)

    def deliveries_waiting(self, count: int, oldest_seconds: float) -> None:
        """Set how many deliveries wait, and for how many seconds the oldest has; 0 when there is none."""
        self._deliveries.waiting.set(count)
        self._deliveries.oldest_waiting.set(oldest_seconds)

    def streams_open(self, change: int) -> None:
        """Note that a stream of events was opened (1), or ended (-1)."""
        self._streams.open.inc(change)

    def stream_refused(self) -> None:
        """Count a stream that was refused."""
        self._streams.refused.inc()

    def instances_unrun(self, count: int) -> None:
        """Set how many instances have replicas that no engine will run."""
        self._replicas.instances_unrun.set(count)

    def crash_loops(self, count: int) -> None:
        """Set how many services on instances are in a crash loop."""
        self._replicas.crash_loops.set(count)

    def replicas(self, by_state: Mapping[str, int]) -> None:
        """Set how many replicas there are in each state; states that are left out have none."""
        self._replicas.by_state.clear()
        for state, count in by_state.items():
            self._replicas.by_state.labels(state).set(count)

    def step_done(self, step: str, seconds: float) -> None:
        """Record a step of the reconciler, and the seconds that it took."""
        self._replicas.step_seconds.labels(step).observe(seconds)

    def orphan_stopped(self, engine: str) -> None:
        """Count a stopped orphan: a replica without an instance in the books."""
        self._replicas.orphans.labels(engine).inc()

    def engine_reachable(self, engine: str, *, reachable: bool) -> None:
        """Set whether an engine is reachable."""
        self._replicas.engine_reachable.labels(engine).set(reachable)

    def unserved(self, by_engine: Mapping[str, int]) -> None:
        """Set the number of live replicas without a server, by engine; engines that are left out have none."""
        self._replicas.unserved.clear()
        for engine, count in by_engine.items():
            self._replicas.unserved.labels(engine).set(count)

    def stock_counted(self, engine: str, stocks: Mapping[str, TypeCapacity]) -> None:
        """Set an engine's units and the offered units, by type; types that are left out are not offered."""
        self._stock.counted(engine, stocks)

    def render(self) -> tuple[bytes, str]:
        """Return all metrics in Prometheus' text format, and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST
