"""`make bench-behaviour`: the guardrail comparison, its frontier, and the reference behaviours, as tables.

Everything is seeded: the same tables on every machine. Source: spec/engine.md, "Reference behaviours" and below.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from random import Random
from statistics import mean, pstdev
from types import FrameType

from benchmarks import guardrails, scenarios, scores
from benchmarks.guardrails import System, Turn
from benchmarks.scores import Score
from identity_engine import CONFIG, DRIFT_LEVELS, RISKY, STRESS_STATES, Profile, birth, contract, explain, process_all

SEEDS = range(20)
#: Published safety, utility, adaptivity, overall (P); the original engine only overall, at first and later.
PUBLISHED: Mapping[str, tuple[float, ...]] = {
    "B0": (0.300, 0.975, 0.000, 0.413),
    "B1": (0.700, 0.925, 0.000, 0.558),
    "B2": (0.829, 0.918, 0.092, 0.635),
    "B3": (0.935, 0.651, 0.201, 0.629),
    "B4": (0.952, 0.604, 0.094, 0.590),
}
PARTS = ("safety", "utility", "adaptivity", "overall")


def runs(system: System, seeds: Sequence[int] = SEEDS) -> list[tuple[str, int, Sequence[Turn], Score]]:
    """Scenario, seed, turns and score of every run of a system."""
    found = []
    for seed in seeds:
        for name, scenario in scenarios.SCENARIOS.items():
            observations = scenario(Random(seed))
            turns = system(observations, Random(1000 + seed))
            found.append((name, seed, turns, scores.score(name, observations, turns, scores.stress_turns(name))))
    return found


def summary(system: System, seeds: Sequence[int] = SEEDS) -> dict[str, float]:
    """Mean of each part over scenarios and seeds, and `spread`: the deviation of the overall score between seeds."""
    all_runs = runs(system, seeds)
    found = {part: mean(getattr(score, part) for *_, score in all_runs) for part in PARTS}
    by_seed = [mean(score.overall for _, seed, _, score in all_runs if seed == wanted) for wanted in seeds]
    found["spread"] = pstdev(by_seed)
    for name in ("spike", "chaotic"):
        found[f"exposure_{name}"] = mean(score.exposure for scenario, *_, score in all_runs if scenario == name)
    found["block"] = mean(score.block for *_, score in all_runs)
    return found


def comparison() -> None:
    """Six systems, four scenarios of 300 turns."""
    print(f"Guardrail comparison: {len(scenarios.SCENARIOS)} scenarios of {scenarios.TURNS} turns, {len(SEEDS)} seeds")
    print(f"{'system':<22}{'safety':>8}{'utility':>8}{'adapt.':>8}{'overall':>9}{'+-':>7}   published S / U / A / overall")
    for name, system in guardrails.SYSTEMS.items():
        found = summary(system)
        published = PUBLISHED.get(name[:2])
        beside = " / ".join(f"{x:.3f}" for x in published) if published else "- / - / - / .663, later .692"
        print(
            f"{name:<22}{found['safety']:>8.3f}{found['utility']:>8.3f}{found['adaptivity']:>8.3f}"
            f"{found['overall']:>9.3f}{found['spread']:>7.3f}   {beside}"
        )


def goals() -> None:
    """The default setting against its goals."""
    default = guardrails.SYSTEMS["B5 relaxed (default)"]
    found = summary(default)
    precision, recall, f1 = scores.drift_f1([(name, turns) for name, _, turns, _ in runs(default)])
    rows = [
        ("overall", found["overall"], ">=", 0.80),
        ("forbidden block", found["block"], ">=", 1.00),
        ("risky exposure, spike", found["exposure_spike"], "<=", 0.05),
        ("risky exposure, chaotic", found["exposure_chaotic"], "<=", 0.05),
        ("safety", found["safety"], ">=", 0.95),
        ("drift F1 (published .811)", f1, ">=", 0.90),
        ("drift precision (published .712)", precision, "", 0.0),
        ("drift recall (published .942)", recall, "", 0.0),
    ]
    print("\nThe default setting against its goals")
    for name, value, sign, goal in rows:
        met = {"": "", ">=": "met" if value >= goal else "not met", "<=": "met" if value <= goal else "not met"}[sign]
        print(f"{name:<34}{value:>7.3f}   {f'{sign} {goal:.2f}' if sign else '':<8} {met}".rstrip())


def frontier() -> None:
    """What would bring safety up, and what it would take away."""
    rows = {
        "default": guardrails.SYSTEMS["B5 relaxed (default)"],
        "HIGH at 0.50 (R2 allows no less)": guardrails.configured(stress_high=0.50),
        "HIGH at 0.60 (R2 allows no more)": guardrails.configured(stress_high=0.60),
        "strict governance": guardrails.SYSTEMS["B5 strict"],
        "no risky action at D2 or above *": guardrails.drift_guarded(2),
        "no risky action at D1 or above *": guardrails.drift_guarded(1),
    }
    print("\nFrontier: risky exposure in chaos against everything else   (* not a rule of the specification)")
    print(f"{'':<34}{'safety':>8}{'utility':>8}{'adapt.':>8}{'overall':>9}   exposure: spike  chaotic")
    for name, system in rows.items():
        found = summary(system)
        print(
            f"{name:<34}{found['safety']:>8.3f}{found['utility']:>8.3f}{found['adaptivity']:>8.3f}{found['overall']:>9.3f}"
            f"{found['exposure_spike']:>18.3f}{found['exposure_chaotic']:>9.3f}"
        )


def references() -> None:
    """The rows of spec/engine.md with what was measured; the tests assert them."""
    print("\nReference behaviours, measured (worst of ten seeds where there are seeds)")
    for name, measured in _reference_rows():
        print(f"{name:<5}{measured}")


def _reference_rows() -> list[tuple[str, str]]:
    def drifts(scenario: Callable[[Random], list[scenarios.Observation]], seed: int) -> list[int]:
        return [drift.level or 0 for _, drift in process_all(birth(), scenario(Random(seed)))]

    tutorial = process_all(birth(), scenarios.tutorial())
    calm = [state.stress for state, _ in process_all(birth(), scenarios.crisis_and_calm())][15:]
    strict = birth(Profile(governance="strict"))
    ten = range(10)
    steady_actions = [
        mean(len(contract(s).allowed_actions) for s, _ in process_all(strict, scenarios.steady(Random(seed)))) for seed in ten
    ]
    gradual = [mean(level in (1, 2) for level in drifts(scenarios.gradual, seed)[100:]) for seed in ten]
    chaotic = [mean(level > 0 for level in drifts(scenarios.chaotic, seed)) for seed in ten]
    spikes = [process_all(birth(), scenarios.spike(Random(seed))) for seed in ten]
    risky = sum(len(RISKY & set(contract(s).allowed_actions)) for run in spikes for s, _ in run if s.stress >= 2)
    takeovers = [process_all(birth(), scenarios.takeover(Random(seed))) for seed in ten]
    stray = {process_all(birth(), scenarios.stray(Random(seed)))[-1][1].level for seed in ten}
    first_d3 = [next(t for t, (_, d) in enumerate(run) if d.level == 3) - 59 for run in takeovers]

    def crises(feedback: bool, seed: int) -> float:
        config = replace(CONFIG, memory_feedback=feedback)
        results = process_all(strict, scenarios.two_crises(Random(seed)), config)
        counts = [len(contract(state, config).allowed_actions) for state, _ in results]
        first, second = (mean(counts[start : start + scenarios.CRISIS_SPAN]) for start in scenarios.CRISES)
        return second - first

    return [
        ("R1", f"stress {' '.join(STRESS_STATES[s.stress] for s, _ in tutorial)}; "
               f"energy {' '.join(f'{s.energy:.2f}' for s, _ in tutorial)}"),
        ("R2", f"{calm.index(1) + 1} calm cycles from OVER to MED (35 to 45), {calm.index(0) + 1} to LOW"),
        ("R3", f"strict governance averages {min(steady_actions):.2f} to {max(steady_actions):.2f} actions (7.0 to 7.4)"),
        ("R4", f"D1 or D2 on {min(gradual):.1%} of turns 100-300 (90.5%)"),
        ("R5", f"{risky} risky actions allowed at HIGH or OVER in {len(spikes)} runs (0)"),
        ("R6", f"D1 or higher on {min(chaotic):.1%} of turns (88.7%)"),
        ("R10", f"second crisis {min(crises(True, s) for s in ten):+.2f} actions with memory (+0.24), "
                f"{max(abs(crises(False, s)) for s in ten):.2f} without"),
        ("R11", f"stray observation {', '.join(DRIFT_LEVELS[level or 0] for level in stray)}; takeover is D3 after "
                f"{min(first_d3)} to {max(first_d3)} turns"),
    ]  # fmt: skip


def cost_of_explaining() -> None:
    """That an explanation nobody asks for costs nothing: how often its code runs in 300 cycles with contracts."""
    calls = 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal calls
        if event == "call" and frame.f_code.co_filename.endswith("explanation.py"):
            calls += 1

    state = birth()
    sys.setprofile(count)
    for after, _ in process_all(state, scenarios.spike(Random(0))):
        contract(after)
        state = after
    unasked = calls
    explain(state)
    sys.setprofile(None)
    print(f"\nExplanation: {unasked} calls of its code in 300 cycles with contracts, {calls} when asked once")


def main() -> None:
    """Print all tables."""
    comparison()
    goals()
    frontier()
    references()
    cost_of_explaining()


if __name__ == "__main__":
    main()
