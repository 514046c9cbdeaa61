"""A mean that goes on from where it stood."""

from river.stats import EWMean


def mean_at(value: float, weight: float) -> EWMean:
    """An exponentially weighted mean that stands at a value, and weighs the next by `weight`.

    River's first update sets it to the value itself: no touching of its internals.
    """
    mean = EWMean(weight)
    mean.update(value)
    return mean
