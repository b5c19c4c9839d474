"""`make strength`: what 1, 3 and 10 failures of each strength lead to, as the Markdown table of docs/event-strength.md.

The agent is calm and past its youth: 120 turns of perception and order at 0.5. The same work follows the failures. Nothing is
random: the same table on every machine.
"""

from collections.abc import Iterator, Sequence

from benchmarks.normal import play, settled
from benchmarks.scenarios import STRESS
from identity_engine import DRIFT_LEVELS, STRESS_STATES, Observation

STRENGTHS, COUNTS = (0.3, 0.5, 0.7, 0.9), (1, 3, 10)
HEAD = (
    "failures",
    "strength",
    "highest stress",
    "turns without risky actions",
    "lowest energy",
    "highest drift level",
    "asks for",
)


def outcome(failures: Sequence[Observation]) -> tuple[str, ...]:
    """The last five cells of a row: what these reports lead to, when calm work comes before and after them."""
    before, after = settled(), settled(150)
    run = play([*before, *failures, *after])
    states, contracts = run.states[len(before) :], run.contracts[len(before) :]
    flags = {
        "a pause": any(now.timing.should_pause for now in contracts),
        "an escalation": any(now.timing.should_escalate for now in contracts),
    }
    return (
        STRESS_STATES[max(state.stress for state in states)],
        str(run.held()),
        f"{min(state.energy for state in states):.2f}",
        DRIFT_LEVELS[max(state.drift.last.level or 0 for state in states)],
        ", ".join(flag for flag, up in flags.items() if up) or "nothing",
    )


def rows() -> Iterator[tuple[str, ...]]:
    """All rows of the table, the head first."""
    yield HEAD
    yield ("---",) * len(HEAD)
    for signal in STRENGTHS:
        for count in COUNTS:
            yield (str(count), f"{signal}", *outcome([Observation(STRESS, signal)] * count))


def table() -> str:
    """The table in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in rows())


if __name__ == "__main__":
    print(table())
