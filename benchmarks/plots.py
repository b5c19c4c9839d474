"""`make plots`: the figures of docs/concepts.md, drawn from the engine: stress, energy, drift and actions over the reports."""

from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType
from typing import Final

from benchmarks import scenarios
from identity_charts import Mark, Point, Scale, drift_marks, timeline
from identity_engine import ACTIONS, CONFIG, DRIFT_LEVELS, STRESS_STATES, Observation, birth, contract, process_all
from local.template import ROOT

FOLDER = ROOT / "docs" / "figures"
#: File names, titles and what is played.
FIGURES: Final[Mapping[str, tuple[str, Callable[[Random], list[Observation]]]]] = MappingProxyType(
    {
        "spike": ("Spike: steady work, stress on reports 101 to 150", scenarios.spike),
        "gradual": ("Gradual: three characters in 300 reports, one after the other", scenarios.gradual),
        "takeover": ("Takeover: steady work, three foreign modes from report 121 on", scenarios.takeover),
    }
)
_SCALE: Final = Scale(
    CONFIG.stress_med, CONFIG.stress_high, CONFIG.stress_over, CONFIG.drift_d1, CONFIG.drift_d2, CONFIG.drift_d3, len(ACTIONS)
)


def figure(name: str) -> str:
    """One figure as SVG that stands alone, the same bytes each time."""
    title, scenario = FIGURES[name]
    points, marks = [], []
    paused = escalated = False
    for state, drift in process_all(birth(), scenario(Random(0))):
        now = contract(state)
        level = None if drift.level is None else DRIFT_LEVELS[drift.level]
        points.append(
            Point(
                state.cycle,
                abs(state.strengths[-1]),
                STRESS_STATES[state.stress],
                state.energy,
                None if level is None else drift.magnitude,
                level,
                len(now.allowed_actions),
            )
        )
        if drift.rolled_back:
            marks.append(Mark(state.cycle, "rollback", "the last stable character is put back"))
        if now.timing.should_pause and not paused:
            marks.append(Mark(state.cycle, "pause", "the contract asks for a pause"))
        if now.timing.should_escalate and not escalated:
            marks.append(Mark(state.cycle, "escalation", "the contract asks for a person"))
        paused, escalated = now.timing.should_pause, now.timing.should_escalate
    return timeline(points, [*drift_marks(points), *marks], _SCALE, width=820, title=title, standalone=True)


def main() -> None:
    """Draw all figures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in FIGURES:
        (FOLDER / f"{name}.svg").write_text(figure(name), encoding="utf-8")


if __name__ == "__main__":
    main()
