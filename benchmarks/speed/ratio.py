"""Ratios of two durations, measured side by side so that a noisy machine disturbs both alike."""

import gc
import statistics
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any


def compare(
    measured: Callable[[], Any], base: Callable[[], Any], *, rounds: int = 60, inner: int = 20
) -> tuple[float, float, float]:
    """Median ratio of the two, and the fastest microseconds of a call of each. Rounds alternate between them."""
    ratios, fastest = [], [float("inf")] * 2
    measured(), base()
    gc.disable()
    try:
        for _ in range(rounds):
            one, other = _time(measured, inner), _time(base, inner)
            ratios.append(one / other)
            fastest = [min(fastest[0], one), min(fastest[1], other)]
    finally:
        gc.enable()
    return statistics.median(ratios), *fastest


def _time(call: Callable[[], Any], inner: int) -> float:
    start = perf_counter_ns()
    for _ in range(inner):
        call()
    return (perf_counter_ns() - start) / inner / 1000


def fastest(call: Callable[[], Any], *, rounds: int = 20, inner: int = 100) -> float:
    """Microseconds of a call, of the fastest round."""
    return min(_time(call, inner) for _ in range(rounds))
