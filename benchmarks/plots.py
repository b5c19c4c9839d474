"""`make plots`: the figures of docs/concepts.md, drawn from the engine: stress, energy, actions and drift over the cycles."""

from collections.abc import Callable
from random import Random
from typing import Any

import matplotlib
from matplotlib import pyplot

from benchmarks import scenarios
from identity_engine import CONFIG, Observation, birth, contract, process_all
from local.template import ROOT

FOLDER = ROOT / "docs" / "figures"
_PANELS = ("stress", "energy", "actions", "drift")


def draw(name: str, title: str, scenario: Callable[[Random], list[Observation]]) -> None:
    """Write one figure of four panels, the same bytes each time."""
    results = process_all(birth(), scenario(Random(0)))
    cycles = [state.cycle for state, _ in results]
    series = {
        "stress": [abs(state.strengths[6]) for state, _ in results],
        "energy": [state.energy for state, _ in results],
        "actions": [len(contract(state).allowed_actions) for state, _ in results],
        "drift": [drift.magnitude for _, drift in results],
    }
    limits = {
        "stress": {"MED": CONFIG.stress_med, "HIGH": CONFIG.stress_high, "OVER": CONFIG.stress_over},
        "drift": {"D1": CONFIG.drift_d1, "D2": CONFIG.drift_d2, "D3": CONFIG.drift_d3},
    }
    tops = {"stress": 1.0, "energy": 1.05, "actions": 12.5, "drift": 0.7}
    figure: Any
    axes: Any
    figure, axes = pyplot.subplots(len(_PANELS), 1, sharex=True, figsize=(8, 6.5), layout="constrained")
    figure.suptitle(title)
    for axis, panel in zip(axes, _PANELS, strict=True):
        axis.plot(cycles, series[panel], linewidth=1.3, color="#1f5fa8")
        axis.set_ylabel(panel)
        axis.set_ylim(0, tops[panel])
        axis.set_xlim(0, cycles[-1] * 1.06)
        for label, height in limits.get(panel, {}).items():
            axis.axhline(height, color="#b0453a", linewidth=0.7, linestyle="--")
            axis.annotate(label, (cycles[-1], height), xytext=(4, -3), textcoords="offset points", fontsize=8)
    axes[-1].set_xlabel("cycle")
    figure.savefig(FOLDER / f"{name}.svg", metadata={"Date": None})
    pyplot.close(figure)


def main() -> None:
    """Draw all figures."""
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "identity-os"
    FOLDER.mkdir(parents=True, exist_ok=True)
    draw("spike", "Spike: steady work, stress on turns 100 to 149", scenarios.spike)
    draw("gradual", "Gradual: three characters in 300 turns, one after the other", scenarios.gradual)
    draw("takeover", "Takeover: steady work, three foreign modes from turn 120 on", scenarios.takeover)


if __name__ == "__main__":
    main()
