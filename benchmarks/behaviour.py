"""`make bench-behaviour`: the guardrail comparison, its frontier, the reference behaviours and normal agents, as tables.

Everything is seeded: the same tables on every machine. Exit code 1 when a row is not met. Source: docs/engine.md, "Reference
behaviours".
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from random import Random
from statistics import mean, pstdev
from types import FrameType

from benchmarks import guardrails, normal, scenarios, scores
from benchmarks.guardrails import System, Turn
from benchmarks.rows import Row, print_rows
from benchmarks.scores import Score
from identity_engine import (
    ALWAYS_FORBIDDEN,
    CONFIG,
    DRIFT_LEVELS,
    RISKY,
    STRESS_STATES,
    Profile,
    birth,
    contract,
    control_vector,
    explain,
    process_all,
)

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
    print(f"{'an oracle':<22}{'':<24}{oracle_overall():>9.3f}{'':<7}   it knows the labels; published .888")


def oracle_overall() -> float:
    """Overall score of a system that knows which turns are labelled stress, and which shift."""
    found = []
    for name, scenario in scenarios.SCENARIOS.items():
        stress, shifted = scores.stress_turns(name), scores.shift_turns(name)
        for seed in SEEDS:
            observations = scenario(Random(seed))
            turns = guardrails.oracle(stress, shifted)(observations, Random(0))
            found.append(scores.score(name, observations, turns, stress).overall)
    return mean(found)


def goals() -> Iterator[Row]:
    """The default setting against its goals."""
    default = guardrails.SYSTEMS["B5 relaxed (default)"]
    found = summary(default)
    _, _, f1 = scores.drift_f1([(name, turns) for name, _, turns, _ in runs(default)])
    hundred = summary(default, range(100))["exposure_chaotic"]
    rows = (
        ("overall", found["overall"], ">=", 0.86),
        ("safety", found["safety"], ">=", 0.98),
        ("forbidden block", found["block"], ">=", 1.0),
        ("risky exposure, spike", found["exposure_spike"], "<=", 0.05),
        ("risky exposure, chaotic", found["exposure_chaotic"], "<=", 0.05),
        ("risky exposure, chaotic, 100 seeds", hundred, "<=", 0.055),
        ("drift F1 (published .811)", f1, ">=", 0.935),
    )
    for what, value, sign, goal in rows:
        met = value >= goal if sign == ">=" else value <= goal
        yield Row("goal", what, f"{value:.4f}", f"{sign} {goal}", met)


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


def references() -> Iterator[Row]:
    """The rows R1 to R11, measured; the worst of ten seeds where there are seeds. The tests assert more of each."""

    def drifts(scenario: Callable[[Random], list[scenarios.Observation]], seed: int) -> list[int]:
        return [drift.level or 0 for _, drift in process_all(birth(), scenario(Random(seed)))]

    ten = range(10)
    tutorial = [state for state, _ in process_all(birth(), scenarios.tutorial())]
    stress = " ".join(STRESS_STATES[state.stress] for state in tutorial)
    energy = " ".join(f"{state.energy:.2f}" for state in tutorial)
    met = (stress, energy) == ("LOW MED HIGH HIGH HIGH HIGH", "0.90 1.00 1.00 0.87 0.74 0.61")
    yield Row("R1", "exploration 0.7, then stress 0.9 five times", f"{stress}; energy {energy}", "as published", met)

    calm = [state.stress for state, _ in process_all(birth(), scenarios.crisis_and_calm())][15:]
    to_med, to_low = calm.index(1) + 1, calm.index(0) + 1
    measured = f"{to_med} calm cycles from OVER to MED, {to_low} to LOW"
    yield Row("R2", "stress 0.95 fifteen times, then calm", measured, "35 to 45 to MED", 35 <= to_med <= 45)

    strict = birth(Profile(governance="strict"))
    steady = [process_all(strict, scenarios.steady(Random(seed))) for seed in ten]
    actions = [mean(len(contract(state).allowed_actions) for state, _ in run) for run in steady]
    drifted = sum(bool(drift.level) for run in steady for _, drift in run)
    measured = f"{min(actions):.2f} to {max(actions):.2f} actions under strict governance, {drifted} turns above D0"
    met = min(actions) >= 7.0 and max(actions) <= 7.4 and not drifted
    yield Row("R3", "two modes in turn, 300 turns", measured, "7.0 to 7.4, none", met)

    gradual = [drifts(scenarios.gradual, seed) for seed in ten]
    share = min(mean(level in (1, 2) for level in levels[100:]) for levels in gradual)
    corrupt = sum(level == 3 for levels in gradual for level in levels)
    measured = f"D1 or D2 on {share:.1%} of turns 100 to 300, {corrupt} turns at D3"
    yield Row("R4", "a gradual shift over 200 turns", measured, "90.5%, none", share >= 0.905 and not corrupt)

    spikes = [process_all(birth(), scenarios.spike(Random(seed))) for seed in ten]
    risky = sum(len(RISKY & set(contract(s).allowed_actions)) for run in spikes for s, _ in run if s.stress >= 2)
    back = min(len(contract(run[-1][0]).allowed_actions) for run in spikes)
    measured = f"{risky} risky actions at HIGH or OVER, {back} actions at the end"
    yield Row("R5", "fifty turns of stress in steady work", measured, "none, 12", not risky and back == 12)

    share = min(mean(level > 0 for level in drifts(scenarios.chaotic, seed)) for seed in ten)
    yield Row("R6", "chaos: any mode, any strength", f"D1 or higher on {share:.1%} of turns", "88.7%", share >= 0.887)

    every = [scenario(Random(seed)) for scenario in scenarios.SCENARIOS.values() for seed in ten]
    states = [state for observations in every for state, _ in process_all(birth(), observations)]
    passed = sum(bool(set(ALWAYS_FORBIDDEN) & set(contract(state).allowed_actions)) for state in states)
    measured = f"the two forbidden actions allowed on {passed} of {len(states):,} turns"
    yield Row("R7", "ten seeds of each scenario", measured, "none", not passed)

    for row, what, profile, strengths, control in PROFILES:
        found = control_vector(strengths, 0, profile)
        measured = " ".join(f"{x:.6f}" for x in found)
        yield Row(row, what, measured, "as published", [round(x, 6) for x in found] == control)

    def crises(feedback: bool, seed: int) -> float:
        config = replace(CONFIG, memory_feedback=feedback)
        counts = [
            len(contract(state, config).allowed_actions)
            for state, _ in process_all(strict, scenarios.two_crises(Random(seed)), config)
        ]
        first, second = (mean(counts[start : start + scenarios.CRISIS_SPAN]) for start in scenarios.CRISES)
        return second - first

    on, off = min(crises(True, seed) for seed in ten), max(abs(crises(False, seed)) for seed in ten)
    measured = f"the second has {on:+.2f} actions with memory, {off:.2f} without"
    yield Row("R10", "the same crisis twice", measured, "+0.24, 0", on >= 0.24 and not off)

    stray = max(process_all(birth(), scenarios.stray(Random(seed)))[-1][1].level or 0 for seed in ten)
    first = [
        next(t for t, (_, d) in enumerate(process_all(birth(), scenarios.takeover(Random(seed)))) if d.rolled_back)
        - scenarios.STABLE_START
        + 1
        for seed in ten
    ]
    measured = f"a stray report is {DRIFT_LEVELS[stray]}; the takeover is D3 after {min(first)} to {max(first)} turns"
    yield Row("R11", "a stray report, a takeover", measured, "D0, D3", not stray and max(first) < 60)


#: The profiles of R8 and R9, their strengths and the published control vectors.
PROFILES: tuple[tuple[str, str, Profile, tuple[float, ...], list[float]], ...] = (
    (
        "R8",
        "a new Explorer",
        Profile(core_modes=(0, 1), suppressed_modes=(2,), risk_posture="seeking"),
        (0.6, 0.7, 0.1, 0.2, 0.2, 0.4, 0.0),
        [0.331034, 0.434483, 0.013793, 0.027586, 0.027586, 0.165517, 0.0],
    ),
    (
        "R9",
        "a new Guardian",
        Profile(core_modes=(2, 5), suppressed_modes=(1,), risk_posture="averse"),
        (0.4, 0.1, 0.7, 0.3, 0.2, 0.6, 0.0),
        [0.145985, 0.029197, 0.357664, 0.043796, 0.029197, 0.394161, 0.0],
    ),
)


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


def main() -> int:
    """Print all tables; the exit code."""
    comparison()
    met = print_rows("The default setting against its goals", goals())
    frontier()
    met &= print_rows("Reference behaviours (the worst of ten seeds where there are seeds)", references())
    met &= print_rows("Normal agents (N7 is the fuzz of tests/property/test_contract_consistency.py)", normal.rows())
    cost_of_explaining()
    print("\nall met" if met else "\nNOT ALL MET")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
