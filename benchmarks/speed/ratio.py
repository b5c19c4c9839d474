"""Ratios of two durations, measured side by side so that a noisy machine disturbs both alike."""

import gc
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any


def compare(
    measured: Callable[[], Any], base: Callable[[], Any], *, rounds: int = 60, inner: int = 20
) -> tuple[float, float, float]:
    """The fastest round of one against that of the other, and the microseconds of a call in each. Rounds alternate.

    Neighbours on a shared machine only ever add time, and more of it to whoever needs more of the caches.
    """
    fastest = [float("inf")] * 2
    measured(), base()
    gc.disable()
    try:
        for _ in range(rounds):
            fastest = [min(fastest[0], _time(measured, inner)), min(fastest[1], _time(base, inner))]
    finally:
        gc.enable()
    return fastest[0] / fastest[1], *fastest


def _time(call: Callable[[], Any], inner: int) -> float:
    start = perf_counter_ns()
    for _ in range(inner):
        call()
    return (perf_counter_ns() - start) / inner / 1000


def fastest(call: Callable[[], Any], *, rounds: int = 20, inner: int = 100) -> float:
    """Microseconds of a call, of the fastest round."""
    return min(_time(call, inner) for _ in range(rounds))
