"""What the hub counts about itself, for Prometheus.

Counters are raised where something happens; gauges about the database are filled by ``scrape``,
when somebody asks, and never by a request. Labels are bounded: partners by id, OCPI's modules,
methods and status codes; never a URL, a party somebody named, or anything a caller may choose.

Names are ``ocpi_hub_*``, in base units: seconds, bytes.
"""

import time
from collections.abc import Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)
from prometheus_client.process_collector import ProcessCollector

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
# OCPI, Status codes. A partner's answer that is passed on may hold any number.
STATUS_CODES = frozenset(
    {1000, 2000, 2001, 2002, 2003, 2004, 3000, 3001, 3002, 3003, 4000, 4001, 4002, 4003}
)
NOT_FORWARDED = frozenset({4000, 4001, 4002, 4003})
OTHER = "other"

SECONDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """All metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(namespace="ocpi_hub", registry=self.registry)
        # What is raised for every request, found at once: by labels, of which there are few.
        self._traffic: dict[tuple[str, ...], tuple[Counter, Histogram]] = {}
        self._count_traffic()
        self._count_work()
        self._measure_process()
        self._measure_deliveries()
        self._measure_partners()
        self._measure_certificates()

    def _count_traffic(self) -> None:
        request = ("module", "interface", "method")
        self.requests = self._counter(
            "requests",
            "OCPI requests answered, by the OCPI status code of the answer.",
            *request,
            "status_code",
        )
        self.request_seconds = Histogram(
            "ocpi_hub_request_seconds",
            "Time from the head of an OCPI request to its answer, forwarding included.",
            request,
            buckets=SECONDS,
            registry=self.registry,
        )
        self.forward_errors = self._counter(
            "forward_errors",
            "Requests that could not be passed on: 4001 unknown receiver, 4002 no answer in time,"
            " 4003 not connected, 4000 anything else. The partner is the one who asked.",
            "partner",
            "status_code",
        )
        self.deliveries = self._counter(
            "deliveries",
            "Objects told to partners, by what came of it: taken, refused, failing, busy, gone,"
            " shut.",
            "partner",
            "source",
            "outcome",
        )

    def _count_work(self) -> None:
        self.pulled = self._counter(
            "pulled",
            "Objects in the lists of partners, by what became of them: created, changed, unchanged,"
            " stale, bad, foreign, ...",
            "partner",
            "module",
            "outcome",
        )
        self.cdrs_checked = self._counter(
            "cdrs_checked", "CDRs that this process checked, by verdict.", "verdict"
        )
        # Not "job": that is what Prometheus itself calls those it asks.
        self.job_runs = self._counter("job_runs", "Runs of a job by this process.", "name")
        self.job_failures = self._counter("job_failures", "Runs of a job that failed.", "name")
        self.job_failing = self._gauge(
            "job_failing", "1 when the latest run of a job by this process failed.", "name"
        )
        self.job_last_success = self._gauge(
            "job_last_success_timestamp_seconds", "When this process last ended a job well.", "name"
        )

    def _measure_process(self) -> None:
        self.loop_lag = self._gauge(
            "event_loop_lag_seconds", "The latest the event loop has been in the last 15 seconds."
        )
        self.pool_size = self._gauge(
            "database_pool_size", "Connections this process may open (HUB_DATABASE_POOL)."
        )
        self.pool_in_use = self._gauge(
            "database_pool_in_use", "Connections that are in use at this moment."
        )
        self.database_up = self._gauge(
            "database_up", "1 when the database answered this scrape; else its gauges are missing."
        )
        self.disk_free = self._gauge(
            "data_dir_free_bytes", "Free space where HUB_DATA_DIR is, for the hub's account."
        )
        self.disk_size = self._gauge("data_dir_size_bytes", "Size of the disk of HUB_DATA_DIR.")
        self.scrape_seconds = self._gauge(
            "scrape_seconds", "Time it took to read the gauges that come from the database."
        )

    def _measure_certificates(self) -> None:
        self.tls_certificate_end = self._gauge(
            "ocpp_tls_certificate_end_timestamp_seconds",
            "When the certificate of the TLS listener for stations ends; 0 where there is none.",
        )
        self.station_certificates_ending = self._gauge(
            "station_certificates_ending",
            "Stations that only a certificate lets in, and whose certificate ends within so many"
            " days, or has ended.",
            "days",
        )

    def _measure_deliveries(self) -> None:
        self.delivery_oldest_age = self._gauge(
            "delivery_oldest_age_seconds",
            "Age of the oldest change that concerns a partner and that it has not been told of; 0"
            " when it has been told everything.",
            "partner",
            "module",
        )
        self.delivery_lag = self._gauge(
            "delivery_lag_objects",
            "Changed objects that concern a partner and that it has not been told of; counted up"
            " to 1000.",
            "partner",
            "module",
        )
        self.deliveries_held = self._gauge(
            "deliveries_held",
            "1 where deliveries wait until somebody mends something, such as a token.",
            "partner",
            "module",
        )
        self.setbacks_open = self._gauge(
            "setbacks_open",
            "Objects that a partner would not take and has not taken since.",
            "partner",
            "module",
        )

    def _measure_partners(self) -> None:
        self.quarantined_open = self._gauge(
            "quarantined_open",
            "Objects from a partner that were not valid and have not been replaced by good ones.",
            "partner",
            "module",
        )
        self.data_age = self._gauge(
            "data_age_seconds",
            "Time since something new came from a partner, pushed or pulled.",
            "partner",
            "module",
        )
        self.data_stale = self._gauge(
            "data_stale",
            "1 where data of a partner has stopped flowing: pulls fail, or it is unusually silent.",
            "partner",
            "module",
        )
        self.cdrs_held = self._gauge(
            "cdrs_held", "CDRs of a partner that its receiver must wait for.", "partner"
        )
        self.cdr_disputes = self._gauge(
            "cdr_disputes", "Disputes about CDRs of a partner that nobody has ended.", "partner"
        )
        self.partners = self._gauge(
            "partners", "Partners by connection status, as HubClientInfo tells it.", "status"
        )
        self.handshakes_failed = self._gauge(
            "handshakes_failed",
            "Handshakes with a partner in the last hour that failed.",
            "partner",
        )
        self.credentials_age = self._gauge(
            "credentials_age_seconds",
            "Time since a registered partner and the hub exchanged tokens last.",
            "partner",
        )
        self.stray_rows = self._gauge(
            "stray_rows", "Rows for which no partition had been made in time.", "table"
        )

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"ocpi_hub_{name}", about, labels, registry=self.registry)

    def _gauge(self, name: str, about: str, *labels: str) -> Gauge:
        return Gauge(f"ocpi_hub_{name}", about, labels, registry=self.registry)

    # What happened.

    def answered(
        self,
        module: str,
        interface: str,
        method: str,
        *,
        status_code: int,
        seconds: float,
        partner: str | None,
    ) -> None:
        """An OCPI request was answered; ``module`` and ``interface`` are those of its route."""
        labels = (module, interface, method if method in METHODS else OTHER, known(status_code))
        if labels not in self._traffic:
            requests = self.requests.labels(*labels)
            self._traffic[labels] = requests, self.request_seconds.labels(*labels[:-1])
        requests, request_seconds = self._traffic[labels]
        requests.inc()
        request_seconds.observe(seconds)
        if partner is not None and status_code in NOT_FORWARDED:
            self.forward_errors.labels(partner, str(status_code)).inc()

    def delivered(self, partner: str, source: str, outcome: str, number: int) -> None:
        self.deliveries.labels(partner, source, outcome).inc(number)

    def checked(self, verdicts: Iterable[str]) -> None:
        for verdict in verdicts:
            self.cdrs_checked.labels(verdict).inc()

    def ran(self, job: str, *, failed: bool) -> None:
        self.job_runs.labels(job).inc()
        self.job_failing.labels(job).set(failed)
        if failed:
            self.job_failures.labels(job).inc()
        else:
            self.job_last_success.labels(job).set(time.time())

    def left(self, job: str) -> None:
        """Another process is at it, and tells whether it fails."""
        self.job_failing.labels(job).set(0)


def known(status_code: int) -> str:
    """The code itself if OCPI names it, else its class: ``2xxx``."""
    if status_code in STATUS_CODES:
        return str(status_code)
    leading = status_code // 1000
    return f"{leading}xxx" if leading in range(1, 5) else OTHER
