"""Step 3, volatility: neither which mode comes next nor how strongly is foretold.

    rank         = position of the reported mode among the modes reported so far, latest first; 0 is the same again
    alternatives = n^2 / sum(count[r]^2)        r = 1..6, over the last 40 ranks, n the number of those that are not 0
    error       += max(1/cycle, 0.05) * (min(|s - expected|, 1) - error)        expected = v/(1 - w) of the mode before step 1
    volatility   = (alternatives - 1)/5 * min(1, error/0.25)

`alternatives` is the inverse Simpson index: how many continuations were equally likely. Repeats do not count, they only age the
window. A mode's first report updates no error; nor do the first 20 of a mode that was born with a strength, which says nothing
of how it will be reported. An agent is volatile from 0.48 until it falls below 0.40.
Orderly work stays under it, however many modes it uses: a round of six has one rank. Range 0..1. Source: docs/engine.md,
"Step 3: stress and system state"; figures C.

>>> state = Volatility()
>>> for cycle in range(1, 61):
...     state = next_volatility(state, Observation(cycle % 6, 0.8), None if cycle < 7 else 0.8, cycle)
>>> (volatility(state), state.streak)
(0.0, 0)
"""

from dataclasses import dataclass

from identity_engine.config import CONFIG, Config
from identity_engine.values import Observation


@dataclass(frozen=True, slots=True)
class Volatility:
    """`recency`: modes reported so far, latest first. `ranks`: the last 40 ranks, a digit each, newest last. `error` in 0..1.

    `counts`: reports of each mode, 20 at most. `streak`: volatile cycles in a row, 0 while the agent is not.
    """

    recency: tuple[int, ...] = ()
    ranks: str = ""
    error: float = 0.0
    counts: tuple[int, ...] = (0,) * 7
    streak: int = 0


def volatility(state: Volatility, config: Config = CONFIG) -> float:
    """Volatility in 0..1."""
    return _volatility(state.ranks, state.error, config)


def _volatility(ranks: str, error: float, config: Config) -> float:
    # Written out: this is part of every cycle, and a loop takes twice as long.
    a, b, c = ranks.count("1"), ranks.count("2"), ranks.count("3")
    d, e, f = ranks.count("4"), ranks.count("5"), ranks.count("6")
    changes = a + b + c + d + e + f
    if not changes:
        return 0.0
    alternatives = changes * changes / (a * a + b * b + c * c + d * d + e * e + f * f)
    return (alternatives - 1) / (config.volatility_ranks - 1) * min(1.0, error / config.volatility_error)


def expected_signal(state: Volatility, mode: int, strength: float, coldness: float, config: Config = CONFIG) -> float | None:
    """The signal that a report of the mode is expected to have: the mean of its reports, None while there is none to go by."""
    if coldness == 1 or (coldness == 0 and state.counts[mode] < config.volatility_learning):
        return None
    return strength / (1 - coldness)


def next_volatility(
    past: Volatility, observation: Observation, expected: float | None, cycle: int, config: Config = CONFIG
) -> Volatility:
    """Volatility after the observation. `expected`: mean of the mode's signals so far, None at its first report."""
    mode, recency, error, counts = observation.mode, past.recency, past.error, past.counts
    if counts[mode] < config.volatility_learning:
        counts = (*counts[:mode], counts[mode] + 1, *counts[mode + 1 :])
    rank = recency.index(mode) if mode in recency else len(recency)
    if rank or not recency:
        recency = (mode, *recency[:rank], *recency[rank + 1 :])
    if expected is not None:
        rate = max(1 / cycle, config.volatility_rate)
        error += rate * (min(abs(observation.signal - expected), 1.0) - error)
    ranks = (past.ranks + str(rank))[-config.volatility_window :]
    value = _volatility(ranks, error, config)
    volatile = value >= (config.volatile_until if past.streak else config.volatile_from)
    return Volatility(recency, ranks, error, counts, past.streak + 1 if volatile else 0)
