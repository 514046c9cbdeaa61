"""Figures for Prometheus. Labels are few and known beforehand: never an agent, never a text."""

from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from monitor.endpoint import Asked, serve
from monitor.ledger.meter import Measured, Stage

_FAST_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900)
_SLOW_S: Final = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600)


class Metrics:
    """What this process counts and measures, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._trips = Counter(
            "tripswitch_trips", "Trips that were ordered.", ["automatic"], registry=self.registry
        )
        self._stages = {
            Stage.ORDERED: self._histogram(
                "tripswitch_trip_anomaly_to_order_seconds",
                "From the action that was the evidence, in event time, to the order.",
                _FAST_S,
            ),
            Stage.CONTAINED: self._histogram(
                "tripswitch_trip_order_to_containment_seconds",
                "From the order to the confirmation of the last enforcement point.",
                _FAST_S,
            ),
            Stage.SILENT: self._histogram(
                "tripswitch_trip_to_silence_seconds",
                "From the order to the moment since which no action succeeded.",
                _SLOW_S,
            ),
            Stage.LAST_ACTION: self._histogram(
                "tripswitch_trip_order_to_last_action_seconds",
                "From the order to the last action that succeeded after it, once it is silent.",
                _SLOW_S,
            ),
        }
        self._points = Counter(
            "tripswitch_point_attempts",
            "Orders that this process carried to an enforcement point.",
            ["point", "direction", "outcome"],
            registry=self.registry,
        )

    def _histogram(self, name: str, what: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(name, what, ["automatic"], buckets=buckets, registry=self.registry)

    def observe(self, reached: Iterable[Measured]) -> None:
        """Take in stages that trips reached."""
        for one in reached:
            automatic = "yes" if one.automatic else "no"
            if one.stage is Stage.ORDERED:
                self._trips.labels(automatic).inc()
            if one.seconds is not None:
                # The clock of a producer may be ahead of ours.
                self._stages[one.stage].labels(automatic).observe(max(0.0, one.seconds))

    def attempted(self, point: str, direction: str, confirmed: bool) -> None:
        """Count one attempt at a configured enforcement point."""
        outcome = "confirmed" if confirmed else "failed"
        self._points.labels(point, direction, outcome).inc()

    def serve(self, host: str, port: int, asked: Asked | None = None) -> Callable[[], None]:
        """Answer `/metrics`, `/livez` and `/readyz` from threads of its own; returns how to stop.

        Parameters
        ----------
        asked
            Whether the daemon lives and is ready; None: it does and is.

        Raises
        ------
        TripswitchError
            If the port cannot be had.
        """
        return serve(self.registry, host, port, asked)
