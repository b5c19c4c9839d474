"""How the observer's strengths were chosen: one set left out at a time, and the frontier of the first failure."""

from collections.abc import Iterable

from identity_os_sdk.observer import RULES
from identity_os_sdk.replay import Called, Returned, Run, Settings, Step, play

from benchmarks.rows import Row
from benchmarks.traces.alarms import alarm, shown
from benchmarks.traces.ordinary import REFUSED_FRESH, REFUSED_KEPT
from benchmarks.traces.playing import Sets, played, refused
from benchmarks.traces.read import Recorded
from benchmarks.traces.shares import share

#: What each further failure of a tool in a row may add; the observer's own is among them.
FURTHER_FAILURES = (0.05, 0.1, 0.15, 0.2)
#: Strengths of a first failure that are compared; the observer's own is among them.
FIRST_FAILURES = (0.35, 0.45, 0.55, 0.65, 0.75)


def keeps_its_promise(**rules: float) -> bool:
    """Whether one failure leaves a calm agent alone and the same call, failed three times in a row, is refused."""
    held = []
    for failures in (1, 3):
        steps: list[Step] = []
        for number in range(failures + 1):
            failed = number < failures
            steps += [
                Called("pay", "1", str(number)),
                Returned(str(number), None if failed else "paid", "down" if failed else None),
            ]
        [run] = play([Run("promise", "promise", "promise", tuple(steps))], Settings(rules=rules))
        held.append(len(run.refused))
    return held == [0, 1]


def left_out(plain: list[Recorded]) -> Iterable[Row]:
    """What each further failure adds, chosen without a set, and that set's row.

    Chosen is what refuses fewest changing calls in the other sets among what keeps the promise, then what finds most failures.
    """
    tables: dict[float, tuple[Sets, Sets]] = {
        further: (played(plain, "fresh", further=further), played(plain, "none", further=further))
        for further in FURTHER_FAILURES
        if keeps_its_promise(further=further)
    }

    def cost(further: float, names: Iterable[str]) -> tuple[float, float, float]:
        fresh, kept = ({name: sets[name] for name in names} for sets in tables[further])
        count = sum(refused(run)[0] for sets in (fresh, kept) for runs in sets.values() for run in runs)
        return count, -alarm(fresh, lambda run: run.alarm).hits, further

    names = sorted({each.set for each in plain})
    everywhere = min(tables, key=lambda further: cost(further, names))
    own = RULES["further"].strength
    yield Row(
        "E8",
        f"chosen over all sets, of {', '.join(map(str, tables))}",
        str(everywhere),
        f"the observer's own, {own}",
        everywhere == own,
    )
    for name in names:
        chosen = min(tables, key=lambda further: cost(further, [other for other in names if other != name]))
        fresh, kept = (share(sets[name], refused) for sets in tables[chosen])
        text = f"{chosen}; {name}, fresh {fresh.value:.3f}, kept {kept.value:.3f}"
        met = fresh.value <= REFUSED_FRESH and kept.value <= REFUSED_KEPT
        yield Row("E8", f"chosen without {name}", text, f"<= {REFUSED_FRESH}, <= {REFUSED_KEPT}", met)


def frontier(plain: list[Recorded]) -> None:
    """What the strength of a first failure buys, and what it costs."""
    print(f"\nThe strength of a first failure; the observer's own is {RULES['failed'].strength}")
    for strength in FIRST_FAILURES:
        fresh, kept = played(plain, "fresh", failed=strength), played(plain, "none", failed=strength)
        alone, long = (max(share(runs, refused).value for runs in sets.values()) for sets in (fresh, kept))
        found = shown(alarm(fresh, lambda run: run.alarm))
        print(f"  {strength:.2f}   {found}   changing calls refused, the worst set: fresh {alone:.3f}, kept {long:.3f}")
