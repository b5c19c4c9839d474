"""Stress as an alarm of failure, beside a plain counter, and the rule of length that was tried."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from statistics import median

from identity_os_sdk.replay import Played, Run, play

from benchmarks.rows import Row
from benchmarks.traces.playing import Sets, refused, settings

#: Thresholds of the counter that the engine is compared with.
COMPARED = (2, 3, 4)
#: Runs of an agent after which the rule of length knows what is usual.
LENGTHS_KNOWN = 5


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm over runs that failed or did not: how many it hit, how many it raised falsely, how many failed."""

    hits: int
    false: int
    failed: int

    @property
    def precision(self) -> float:
        """The share of alarms that hit a run that failed; 1 where there is none."""
        return self.hits / (self.hits + self.false) if self.hits + self.false else 1.0

    @property
    def recall(self) -> float:
        """The share of runs that failed that had an alarm."""
        return self.hits / self.failed if self.failed else 0.0

    def beats(self, other: "Alarm") -> bool:
        """Whether this one is better in one way and worse in none."""
        mine, theirs = (self.precision, self.recall), (other.precision, other.recall)
        return mine != theirs and mine[0] >= theirs[0] and mine[1] >= theirs[1]

    def __str__(self) -> str:
        return f"precision {self.precision:.2f}, recall {self.recall:.3f}, {self.false} false"


def alarm(runs: Sets, raised: Callable[[Played], bool]) -> Alarm:
    """An alarm over all runs whose outcome is known."""
    known = [run for each in runs.values() for run in each if run.run.succeeded is not None]
    hit = [run for run in known if raised(run)]
    failed = sum(not run.run.succeeded for run in known)
    return Alarm(sum(not run.run.succeeded for run in hit), sum(bool(run.run.succeeded) for run in hit), failed)


def counter(runs: Sets, most: int = 7) -> dict[int, Alarm]:
    """The counter beside the engine: an alarm from so many failed or repeated calls on."""
    return {count: alarm(runs, lambda run, count=count: run.signs >= count) for count in range(1, most + 1)}


def alarms(fresh: Sets) -> Iterable[Row]:
    """The engine as an alarm: no threshold of the counter may be better in both ways."""
    engine, counters = alarm(fresh, lambda run: run.alarm), counter(fresh)
    better = [count for count in COMPARED if counters[count].beats(engine)]
    yield Row(
        "E5",
        "fresh: stress reaches HIGH in a run that fails",
        str(engine),
        f"no counter of {COMPARED[0]} to {COMPARED[-1]} is better in both",
        not better,
    )
    for count, each in counters.items():
        yield Row("", f"   a counter: {count} or more failed or repeated calls", str(each), "for comparison", True)


class TooLong:
    """The rule of length as a detector: mild stress in a run that is twice as long as the agent's median run so far."""

    def __init__(self) -> None:
        self.hits: set[str] = set()
        self._lengths: list[int] = []
        self._run, self._heard = "", 0

    def watch(self, runs: Iterable[Run]) -> Iterator[Run]:
        """The same runs, each noted when it begins and when it is over."""
        for run in runs:
            self._run, self._heard = run.id, 0
            yield run
            self._lengths.append(self._heard)

    def __call__(self, _text: str) -> str | None:
        """Called with each result and message."""
        self._heard += 1
        if len(self._lengths) < LENGTHS_KNOWN or self._heard <= 2 * median(self._lengths):
            return None
        self.hits.add(self._run)
        return "mild"


def length(fresh: Sets) -> Iterable[Row]:
    """What the rule of length gives: alone, and as mild stress at full confidence, which is more than was asked for."""
    rules = {name: TooLong() for name in fresh}
    with_length = {
        name: list(play(rule.watch(run.run for run in fresh[name]), settings(name, (rule,), "fresh")))
        for name, rule in rules.items()
    }
    hits = {run for rule in rules.values() for run in rule.hits}
    without, found = alarm(fresh, lambda run: run.alarm), alarm(with_length, lambda run: run.alarm)
    held = sum(refused(run)[0] for runs in with_length.values() for run in runs)
    before = sum(refused(run)[0] for runs in fresh.values() for run in runs)
    yield Row(
        "E9", "the engine with the rule of length", f"{found}, {held} refused", f"without: {without}, {before} refused", True
    )
    yield Row("", "   length alone, as an alarm", str(alarm(fresh, lambda run: run.run.id in hits)), "for comparison", True)
