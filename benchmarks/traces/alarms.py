"""Stress as an alarm of failure, beside a plain counter, and the rule of length that was tried."""

from collections.abc import Callable, Iterable, Iterator
from statistics import median

from identity_os_sdk.replay import Played, Run, play
from identity_os_sdk.replay.alarms import COUNTERS, Alarm

from benchmarks.rows import Row
from benchmarks.traces.playing import Sets, refused, settings

#: Runs of an agent after which the rule of length knows what is usual.
LENGTHS_KNOWN = 5


def alarm(runs: Sets, raised: Callable[[Played], bool]) -> Alarm:
    """An alarm over all runs whose outcome is known."""
    found = Alarm()
    for run in (run for each in runs.values() for run in each):
        if run.run.succeeded is not None:
            found.add(raised(run), run.run.succeeded)
    return found


def rates(found: Alarm) -> tuple[float, float]:
    """Precision and recall; an alarm that is never raised is never wrong, and where nothing failed it found nothing."""
    return 1.0 if found.precision is None else found.precision, found.recall or 0.0


def shown(found: Alarm) -> str:
    """An alarm as the tables print it."""
    precision, recall = rates(found)
    return f"precision {precision:.2f}, recall {recall:.3f}, {found.false} false"


def beats(one: Alarm, other: Alarm) -> bool:
    """Whether the one is better in one way and worse in none."""
    mine, theirs = rates(one), rates(other)
    return mine != theirs and mine[0] >= theirs[0] and mine[1] >= theirs[1]


def counter(runs: Sets, most: int = 7) -> dict[int, Alarm]:
    """The counter beside the engine: an alarm from so many failed or repeated calls on."""
    return {count: alarm(runs, lambda run, count=count: run.signs >= count) for count in range(1, most + 1)}


def alarms(fresh: Sets) -> Iterable[Row]:
    """The engine as an alarm: no threshold of the counter may be better in both ways."""
    engine, counters = alarm(fresh, lambda run: run.alarm), counter(fresh)
    better = [count for count in COUNTERS if beats(counters[count], engine)]
    yield Row(
        "E5",
        "fresh: stress reaches HIGH in a run that fails",
        shown(engine),
        f"no counter of {COUNTERS[0]} to {COUNTERS[-1]} is better in both",
        not better,
    )
    for count, each in counters.items():
        yield Row("", f"   a counter: {count} or more failed or repeated calls", shown(each), "for comparison", True)


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
        "E9",
        "the engine with the rule of length",
        f"{shown(found)}, {held} refused",
        f"without: {shown(without)}, {before} refused",
        True,
    )
    yield Row("", "   length alone, as an alarm", shown(alarm(fresh, lambda run: run.run.id in hits)), "for comparison", True)
