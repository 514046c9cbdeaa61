"""How long trips took from stretch to stretch."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from monitor.ledger import trips
from monitor.ledger.trips import Trip

Stretches = dict[str, list[float]]
"""Seconds that trips took for something."""


def automatic(found: Sequence[Trip], committed: Sequence[float]) -> Stretches:
    """What trips by rules took.

    Parameters
    ----------
    committed
        When the daemon's worker committed, in seconds since the epoch, in order.
    """
    stretches: Stretches = {}
    for trip in found:
        if trip.anomaly_at is None:
            continue
        assert trip.read_at is not None
        # The first transaction that was committed after the order was made is the order's.
        revoked_s = committed[bisect_left(committed, trip.ordered_at)]
        took = {
            "event to read": trip.read_at - trip.anomaly_at,
            "read to registry revoked": revoked_s - trip.read_at,
            "event to order": trip.ordered_at - trip.anomaly_at,
            "event to registry revoked": revoked_s - trip.anomaly_at,
            **_points(trip),
        }
        for stretch, seconds in took.items():
            stretches.setdefault(stretch, []).append(seconds)
    return stretches


def by_hand(found: Sequence[Trip], ordered_in_s: Mapping[str, float]) -> Stretches:
    """What trips by a person took, of whose orders it is known how long they took."""
    stretches: Stretches = {}
    for trip in found:
        if trip.trip_id in ordered_in_s:
            took = {"order to registry revoked": ordered_in_s[trip.trip_id], **_points(trip)}
            for stretch, seconds in took.items():
                stretches.setdefault(stretch, []).append(seconds)
    return stretches


def _points(trip: Trip) -> dict[str, float]:
    """From the order to the confirmation of each point that was driven, and to that of the last."""
    assert trip.contained_at is not None
    took = {
        f"order to {point.point}": point.settled_at - trip.ordered_at
        for point in trip.points
        if point.point != trips.REGISTRY and point.settled_at is not None
    }
    return {**took, "order to containment": trip.contained_at - trip.ordered_at}


def in_ms(stretches: Stretches) -> dict[str, Any]:
    """Milliseconds: p50, p99 and the worst of each."""
    return {
        "trips": max((len(seconds) for seconds in stretches.values()), default=0),
        "ms": {
            stretch: {
                "p50": round(1000 * float(np.percentile(seconds, 50)), 1),
                "p99": round(1000 * float(np.percentile(seconds, 99)), 1),
                "worst": round(1000 * max(seconds), 1),
            }
            for stretch, seconds in stretches.items()
        },
    }
