"""Plays recorded runs set by set, with the tools that each set's owner declares, and counts what a row counts."""

from collections.abc import Callable, Iterable, Mapping

from identity_os_sdk.guard import TaskPolicy
from identity_os_sdk.replay import Played, Settings, play

from benchmarks.traces.read import TOOLS, Recorded

Sets = Mapping[str, list[Played]]


def played(
    recorded: Iterable[Recorded],
    tasks: TaskPolicy,
    detectors: tuple[Callable[[str], object], ...] = (),
    *,
    declared: bool = True,
    **rules: float,
) -> Sets:
    """The runs of each set, played with the tools that its owner declares; messages are reported."""
    by_set: dict[str, list[Recorded]] = {}
    for each in recorded:
        by_set.setdefault(each.set, []).append(each)
    return {
        name: list(play((each.run for each in runs), settings(name if declared else "", detectors, tasks, rules)))
        for name, runs in by_set.items()
    }


def settings(
    name: str, detectors: tuple[Callable[[str], object], ...], tasks: TaskPolicy, rules: Mapping[str, float] | None = None
) -> Settings:
    """How the runs of a set are played: with its tools, messages reported. A name that is no set declares nothing."""
    return Settings(tools=TOOLS.get(name, {}), detectors=detectors, tasks=tasks, messages=True, rules=rules or {})


def level(*levels: str) -> Callable[[Played], tuple[int, int]]:
    """Counts the cycles at these drift levels, of all cycles."""
    return lambda run: (sum(turn.drift_level in levels for turn in run.turns), len(run.turns))


def refused(run: Played) -> tuple[int, int]:
    """The changing calls that were refused, of all."""
    return sum(refusal.changing for refusal in run.refused), run.changing
