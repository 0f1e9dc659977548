"""What Prometheus reads: requests by route and status, their seconds, and the queue's own counts at that moment."""

from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from fieldtune.serve.queue import Queue

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
OUTCOMES = ("accepted", "answered", "refused", "gone", "late", "failed")


class Metrics:
    """The counters of one service, in a registry of its own."""

    def __init__(self, queue: Queue[Any, Any], version: str) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_OfQueue(queue, version))
        self._requests = Counter(
            "fieldtune_requests", "Requests by route and status.", ("route", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "fieldtune_request_seconds", "From the request's head to the end of its answer.", ("route",),
            buckets=SECONDS, registry=self._registry,
        )  # fmt: skip
        self._cut = Counter("fieldtune_truncated_texts", "Texts cut off.", registry=self._registry)

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count a request; ``route`` is one of ours or "other", never what a client wrote."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def truncated(self, texts: int) -> None:
        """Count texts that were cut off."""
        self._cut.inc(texts)

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._registry)


class _OfQueue(Collector):
    def __init__(self, queue: Queue[Any, Any], version: str) -> None:
        self._queue, self._version = queue, version

    def collect(self) -> Iterator[Metric]:
        counts = self._queue.counts
        rows = CounterMetricFamily("fieldtune_rows", "Rows by what became of them.", labels=("outcome",))
        for outcome in OUTCOMES:
            rows.add_metric((outcome,), getattr(counts, outcome))
        yield rows
        yield CounterMetricFamily("fieldtune_batches", "Batches computed.", value=counts.batches)
        yield GaugeMetricFamily("fieldtune_rows_held", "Rows accepted and not yet answered.", value=self._queue.held)
        yield GaugeMetricFamily("fieldtune_permits", "Rows that may be held.", value=self._queue.permits)
        model = GaugeMetricFamily("fieldtune_model", "The model that answers.", labels=("version",))
        model.add_metric((self._version,), 1)
        yield model
