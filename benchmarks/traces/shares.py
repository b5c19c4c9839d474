"""Shares of something, with an interval by resampling whole tasks: runs of one task are alike and count as one draw."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random

from identity_os_sdk.replay import Played

_DRAWS = 400


@dataclass(frozen=True, slots=True)
class Share:
    """A share, the counts that it is made of, and its 95 % interval."""

    part: float
    whole: float
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share itself; 0 of nothing is 0."""
        return _ratio(self.part, self.whole)

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f} {self.high:.3f}]"


def share(played: Iterable[Played], count: Callable[[Played], tuple[float, float]]) -> Share:
    """The share over runs that each count as (part, whole)."""
    tasks: dict[str, tuple[float, float]] = {}
    for each in played:
        part, whole = count(each)
        before = tasks.get(each.run.task, (0.0, 0.0))
        tasks[each.run.task] = (before[0] + part, before[1] + whole)
    counts, random = list(tasks.values()), Random(0)
    drawn = sorted(_summed(random.choices(counts, k=len(counts))) for _ in range(_DRAWS)) if counts else [0.0]
    edge = round(len(drawn) * 0.025)
    part, whole = sum(each[0] for each in counts), sum(each[1] for each in counts)
    return Share(part, whole, drawn[edge], drawn[-1 - edge])


def _summed(counts: list[tuple[float, float]]) -> float:
    return _ratio(sum(part for part, _ in counts), sum(whole for _, whole in counts))


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
