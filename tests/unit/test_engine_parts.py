"""The engine's parts where the reference behaviours do not reach: policies, tolerances, resets, codec, personas, the test."""

import json
import sys
from dataclasses import replace

import pytest

from identity_engine import (
    CONFIG,
    ENGINE_VERSION,
    GOVERNANCE,
    MODES,
    PERSONAS,
    QUESTIONS,
    RESETS,
    SAFE,
    VERSIONS,
    Observation,
    Profile,
    birth,
    contract,
    decode,
    encode,
    options,
    persona_matches,
    process,
    process_all,
    profile_of,
    question_ids,
    reset,
    score,
    snapshot_id,
)
from identity_engine.composites import COMPOSITES, composites
from identity_engine.contract.action_space import action_space
from identity_engine.drift import drift_thresholds
from identity_engine.energy import burn
from identity_engine.stress import thresholds

STRESSED = [Observation(6, 1.0)] * 12


def last(observations, profile=Profile()):
    return process_all(birth(profile), observations)[-1][0]


@pytest.mark.parametrize(("policy", "factor"), [("conservative", 0.5), ("balanced", 1.0), ("aggressive", 1.5)])
def test_energy_policy_scales_costs(policy, factor):
    profile = Profile(energy_policy=policy)
    assert burn((0.5,) * 7, "stress", profile) == pytest.approx(0.13 * factor)
    # Work never costs more than a cycle recovers.
    assert burn((0.5,) * 7, "baseline", profile) == pytest.approx(min(0.08 * factor, 0.08) - 0.10)


def test_stress_response_costs_no_energy_of_its_own():
    assert burn((0.0,) * 6 + (0.9,), "baseline", Profile()) == pytest.approx(-0.10)


def test_energy_reaches_zero_under_stress_and_the_floor_after_it():
    spent = replace(last(STRESSED), strengths=(0.0,) * 6 + (0.5,))
    assert spent.energy == 0.0
    for config, floor in ((replace(CONFIG, memory_feedback=False), 0.20), (CONFIG, 0.30)):
        calm = process_all(spent, [Observation(4, 0.1)] * 10, config)
        energies = [state.energy for state, _ in calm]
        # Three calm turns end stress; a cycle's energy goes by the system state before it.
        assert energies[:5] == pytest.approx([0.03, 0.06, 0.09, floor, floor + 0.10])


def test_who_rests_under_stress_recovers_and_mild_failures_do_not_drain():
    spent = replace(last(STRESSED), energy=0.5)
    assert process(spent, Observation(0, 0.5))[0].energy == pytest.approx(0.53)
    assert process(spent, Observation(3, 0.9))[0].energy == pytest.approx(0.51)
    assert process(spent, Observation(6, 0.9))[0].energy == pytest.approx(0.37)
    assert process(spent, Observation(6, 0.5))[0].energy == pytest.approx(0.50)


@pytest.mark.parametrize(("tolerance", "high"), [("fragile", 0.50), ("normal", 0.55), ("resilient", 0.60)])
def test_stress_tolerance_shifts_high_and_over_alone(tolerance, high):
    assert thresholds(Profile(stress_tolerance=tolerance), 0) == pytest.approx((0.30, high, high + 0.32))


def test_at_OVER_a_loud_turn_bleeds_only_when_connection_leads():
    over = last(STRESSED)
    assert process(over, Observation(3, 0.9))[0].strengths[6] == over.strengths[6]
    assert process(over, Observation(4, 0.9))[0].strengths[6] < over.strengths[6]
    assert process(over, Observation(3, 0.5))[0].strengths[6] < over.strengths[6]


def test_stress_is_left_after_three_calm_cycles_in_a_row():
    results = process_all(last([Observation(6, 1.0)] * 3), [Observation(4, 0.2)] * 60)
    below = next(i for i, (state, _) in enumerate(results) if state.stress < 2)
    assert [state.system for state, _ in results[below : below + 3]] == ["stress", "stress", "baseline"]


def test_growth_comes_to_the_calm_and_rested_and_goes_with_stress():
    grown = last([Observation(turn % 2, 0.5) for turn in range(80)])
    assert grown.system == "growth"
    assert process_all(grown, STRESSED[:3])[-1][0].system == "stress"


@pytest.mark.parametrize(("tolerance", "factor"), [("strict", 0.8), ("normal", 1.0), ("permissive", 1.25)])
def test_drift_tolerance_scales_the_distances(tolerance, factor):
    assert drift_thresholds(Profile(drift_tolerance=tolerance)) == pytest.approx((0.08 * factor, 0.24 * factor, 0.40 * factor))


def test_no_drift_level_before_cycle_20():
    results = process_all(birth(), [Observation(turn % 6, 0.9) for turn in range(21)])
    assert [drift.level for _, drift in results[:20]] == [None] * 20
    assert results[20][1].level is not None


def test_breaking_a_core_mode_is_corrupt_however_slow():
    strengths = (0.9, 0.0, 0.9, 0.0, 0.0, 0.0, 0.0)
    settled = [Observation((0, 2)[turn % 2], 0.9) for turn in range(30)]
    slow = settled + [Observation((0, 2)[turn % 2], 0.05, 0.5) for turn in range(600)]
    for profile, expected in ((Profile(core_modes=(0, 2)), True), (Profile(), False)):
        results = process_all(birth(profile, strengths), slow)
        assert any(drift.level == 3 for _, drift in results) is expected


def test_stability_falls_under_stress_and_recovers():
    shaken = last([Observation(6, 1.0)] * 30)
    rested = process_all(shaken, [Observation(0, 0.3)] * 150)[-1][0]
    assert shaken.stability < 0.85
    assert rested.stability > shaken.stability


@pytest.mark.parametrize("governance", GOVERNANCE)
def test_safe_actions_are_never_removed(governance):
    profile = Profile(suppressed_modes=tuple(range(6)), risk_posture="averse", governance=governance)
    for level in range(4):
        assert action_space(birth(profile), level).allowed >= SAFE


def test_strict_allows_all_until_a_mode_is_active():
    profile = Profile(governance="strict")
    assert len(contract(birth(profile)).allowed_actions) == 12
    assert set(contract(birth(profile, (0.5,) + (0.0,) * 6)).allowed_actions) == SAFE | {"question", "elaborate"}


def test_allowed_actions_stand_most_in_character_first():
    assert contract(birth(Profile(), (0.0, 0.0, 0.9, 0.0, 0.0, 0.0, 0.0))).allowed_actions[:3] == (
        "execute",
        "clarify",
        "stabilize",
    )


def test_locks_are_in_force_at_OVER_or_when_identity_is_very_high():
    none = contract(birth()).hard_locks
    assert set(none.__slots__) == {name for name in none.__slots__ if getattr(none, name) is None}
    over = contract(last(STRESSED)).hard_locks
    assert (over.option_set_max, over.goal_resistance_min) == (3, None)
    firm = contract(birth(Profile(), (0.0,) * 5 + (0.9, 0.0))).hard_locks
    assert (firm.option_set_max, firm.goal_resistance_min) == (None, 0.8)


def test_risk_falls_with_stress_and_never_rises_above_the_profile():
    assert contract(birth(Profile(risk_posture="seeking"))).decision_style.risk == "seeking"
    assert contract(last(STRESSED[:3], Profile(risk_posture="seeking"))).decision_style.risk == "bounded"
    assert contract(last(STRESSED, Profile(risk_posture="seeking"))).decision_style.risk == "averse"
    assert contract(last(STRESSED[:3], Profile(risk_posture="averse"))).decision_style.risk == "averse"


def test_steps_remaining_is_energy_over_burn():
    stressed = last([Observation(6, 0.9)] * 5)
    assert contract(stressed).timing.max_steps_remaining == int(stressed.energy / 0.13)
    assert contract(birth()).timing.max_steps_remaining is None


def test_narrative_gives_orders():
    stressed = contract(last(STRESSED[:3])).narrative_prompt
    assert stressed.startswith("Prefer ")
    assert "avoid" in stressed


def test_narrative_of_an_agent_that_should_pause_or_escalate_says_that_and_no_more():
    paused, escalated = contract(last(STRESSED)), contract(last([*STRESSED, *STRESSED]))
    assert paused.narrative_prompt == f"Pause now and wait: {paused.timing.pause_reason}."
    assert escalated.narrative_prompt == f"Stop and hand over to a human: {escalated.timing.escalation_reason}."


@pytest.mark.parametrize("mode", RESETS)
def test_resets_keep_the_profile_and_what_initial_means(mode):
    profile = Profile(core_modes=(1,), governance="strict")
    born = birth(profile, (0.5,) * 6 + (0.0,), 0.6)
    state = process_all(born, STRESSED)[-1][0]
    after = reset(state, mode)
    assert after.profile == profile
    assert reset(after, "initial") == born


def test_reset_default_is_neutral_and_last_stable_goes_on():
    born = birth(Profile(), (0.5,) * 6 + (0.0,), 0.6)
    calm = process_all(born, [Observation(turn % 2, 0.5) for turn in range(40)])[-1][0]
    stressed = process_all(calm, STRESSED)[-1][0]
    neutral, stable = reset(stressed, "default"), reset(stressed, "last_stable")
    assert (neutral.cycle, set(neutral.strengths), neutral.energy) == (0, {0.0}, CONFIG.energy_start)
    assert (stable.cycle, stable.strengths, stable.stress, stable.system) == (52, stressed.drift.rest.strengths, 0, "baseline")
    with pytest.raises(ValueError, match="unknown reset"):
        reset(calm, "yesterday")


def test_encoding_loses_nothing_and_is_canonical():
    state = last([Observation(turn % 7, 0.77, 0.83) for turn in range(50)])
    text = encode(state)
    assert decode(text) == state
    assert encode(decode(text)) == text
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    assert state.engine_version == ENGINE_VERSION


def test_snapshot_id_is_content_addressed():
    observations = [Observation(turn % 7, 0.6) for turn in range(9)]
    first, second = encode(last(observations)), encode(last(observations))
    assert snapshot_id(first) == snapshot_id(second)
    assert snapshot_id(first) != snapshot_id(encode(last(observations[:-1])))


def test_state_size_does_not_grow():
    def sizes(cycles):
        state = last([Observation(turn % 7, 0.613, 0.87) for turn in range(cycles)])
        return len(encode(state)), len(state.drift.distances)

    (early, window), (late, later_window) = sizes(100), sizes(5000)
    assert window == later_window == CONFIG.drift_window
    assert abs(late - early) < 200  # shortest float forms differ by some digits


def test_every_pair_of_modes_has_a_name_of_its_own():
    assert len(COMPOSITES) == len(set(COMPOSITES.values())) == 21
    assert composites((0.2, 0.0, -0.2, 0.0, 0.0, 0.0, 0.0)) == ["analysis"]
    assert composites((0.0,) * 7) == []


@pytest.mark.parametrize("persona", PERSONAS, ids=lambda persona: persona.id)
def test_each_persona_matches_itself_best(persona):
    matches = persona_matches(persona.mode_profile)
    assert matches[0][0] == persona.id
    assert matches[0][1] == pytest.approx(1.0)
    assert matches[1][1] < 0.99
    strongest = sorted(range(6), key=lambda mode: -persona.mode_profile[mode])[:2]
    assert tuple(sorted(strongest)) == persona.profile.core_modes


def test_persona_dominant_modes_are_those_of_the_spec():
    table = {
        "analytical": "perception order", "creative": "exploration assertion", "leader": "assertion identity",
        "supporter": "connection perception", "explorer": "exploration connection", "guardian": "order identity",
        "philosopher": "identity perception", "performer": "connection assertion", "scholar": "perception order",
        "diplomat": "connection order", "pioneer": "exploration assertion", "catalyst": "exploration connection",
    }  # fmt: skip
    found = {p.id.removeprefix("persona_"): {MODES[mode] for mode in p.profile.core_modes} for p in PERSONAS}
    assert found == {name: set(modes.split()) for name, modes in table.items()}


def test_nobody_matches_while_all_modes_rest():
    assert persona_matches((0.0,) * 7) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_each_version_covers_all_modes(version):
    asked = QUESTIONS[: VERSIONS[version]]
    reachable = {mode for question in asked for _, weights in question.options for mode, w in weights.items() if w > 0}
    assert reachable == set(range(7))
    assert len({question.text for question in asked}) == VERSIONS[version]


def choose(version, mode):
    """Answers that speak for one mode as loudly as they can."""
    answers = {}
    for question_id, question in zip(question_ids(version), QUESTIONS, strict=False):
        best = max(range(len(question.options)), key=lambda i, q=question: q.options[i][1].get(mode, 0))
        answers[question_id] = list(options(question, question_id))[best]
    return answers


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mode", range(6))
def test_answers_for_a_mode_make_it_the_strongest(version, mode):
    strengths = score(version, choose(version, mode))
    assert strengths[mode] == max(strengths[:6]) == 1.0
    assert mode in profile_of(strengths).core_modes
    assert all(-1 <= strength <= 1 for strength in strengths)


def test_answers_about_stress_shape_the_tolerance():
    assert profile_of(score("v3", choose("v3", 6))).stress_tolerance == "fragile"


def test_the_engine_imports_the_standard_library_alone():
    import subprocess

    code = (
        "import sys; before = set(sys.modules); import identity_engine;"
        "print({m.split('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names) - {'identity_engine'})"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_builtin_sum_stands_nowhere_in_the_engine():
    """Its float results differ between Python 3.11 and 3.12, which would change digests."""
    import ast
    from pathlib import Path

    import identity_engine

    for path in Path(identity_engine.__file__).parent.rglob("*.py"):
        calls = [
            node.func.id
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        ]
        assert not {"sum", "hypot", "dist"} & set(calls), path
