"""N7 of docs/engine.md: 20,000 states of every kind, and no contract that contradicts itself."""

from random import Random

import pytest

from identity_engine import (
    ACTIONS,
    ALWAYS_FORBIDDEN,
    COMPLEXITIES,
    DRIFT_TOLERANCES,
    ENERGY_POLICIES,
    GOVERNANCE,
    RESETS,
    RISK_POSTURES,
    RISKY,
    SAFE,
    STRESS_TOLERANCES,
    Observation,
    Profile,
    assess_goal,
    birth,
    contract,
    explain,
    process,
    reset,
)
from identity_engine.contract.action_space import action_space
from identity_engine.vocabulary import CONTRIBUTES, HIGH, OVER, STRESS_STATES

STATES = 20_000


def states():
    """Agents of random profiles through random phases: work, failures, chaos, takeovers, rest, and resets in between."""
    random = Random(17)
    left = STATES
    while left:
        kinds = random.choices(("core", "suppressed", ""), weights=(1, 1, 3), k=6)
        profile = Profile(
            tuple(mode for mode, kind in enumerate(kinds) if kind == "core"),
            tuple(mode for mode, kind in enumerate(kinds) if kind == "suppressed"),
            *(random.choice(words) for words in (RISK_POSTURES, ENERGY_POLICIES, STRESS_TOLERANCES, DRIFT_TOLERANCES)),
            random.choice(GOVERNANCE),
        )
        strengths = [random.uniform(-1, 1) if random.random() < 0.4 else 0.0 for _ in range(6)]
        state = birth(profile, (*strengths, random.choice((0.0, 0.0, 0.6, 0.9))), random.random())
        for _ in range(random.randrange(1, 6)):
            phase = random.choice(("work", "failures", "chaos", "takeover", "rest"))
            modes = random.sample(range(6), k=random.randrange(1, 5))
            for turn in range(random.randrange(10, 130)):
                if phase == "failures":
                    report = Observation(6, random.uniform(0.2, 1), 1.0, random.random() < 0.02)
                elif phase == "chaos":
                    report = Observation(random.randrange(7), random.random(), random.random())
                else:
                    strength = {"work": 0.6, "takeover": 0.95, "rest": 0.2}[phase]
                    report = Observation(modes[turn % len(modes)], strength)
                state, _ = process(state, report)
                if random.random() < 0.25 and left:
                    left -= 1
                    yield state
            if random.random() < 0.2:
                state = reset(state, random.choice(RESETS))


@pytest.mark.long
def test_N7_no_contract_contradicts_itself():
    seen = set()
    for number, state in enumerate(states()):
        now = contract(state)
        allowed, removed = set(now.allowed_actions), set(now.forbidden_actions) - set(ALWAYS_FORBIDDEN)
        timing, trust, style = now.timing, now.trust, now.decision_style
        seen |= {STRESS_STATES[state.stress], ("pause", timing.should_pause), ("escalate", timing.should_escalate)}
        # Action space
        assert allowed | removed == set(ACTIONS)
        assert not allowed & removed
        assert allowed >= SAFE
        assert not (timing.should_pause and allowed & RISKY)
        assert not (timing.should_escalate and allowed != SAFE)
        nested = [action_space(state, level).allowed for level in range(4)]
        assert nested[OVER] == SAFE
        assert nested[3] <= nested[2] <= nested[1] <= nested[0]
        # Personality
        preferred, discouraged = set(now.personality.preferred_actions), set(now.personality.discouraged_actions)
        assert preferred <= allowed
        assert not preferred & discouraged
        # Trust
        assert trust.delegation_allowed is (trust.max_delegation_complexity is not None)
        held = timing.should_pause or timing.should_escalate
        assert not (held and (trust.delegation_allowed or trust.collaboration_style == "autonomous"))
        assert not (timing.should_escalate and trust.collaboration_style != "supervised")
        # Style and prompt
        assert style.tempo != "exploratory" or "explore" in allowed
        assert style.tempo != "decisive" or "execute" in allowed
        check_prompt(now, allowed, removed, discouraged)
        check_goals(state, now, allowed)
        if number % 50 == 0:
            assert {reason.action for reason in explain(state) if reason.allowed} == allowed
    assert number == STATES - 1
    assert seen == {*STRESS_STATES, *((flag, on) for flag in ("pause", "escalate") for on in (True, False))}


def check_prompt(now, allowed, removed, discouraged):
    prompt, timing = now.narrative_prompt, now.timing
    if timing.should_escalate:
        assert prompt == f"Stop and hand over to a human: {timing.escalation_reason}."
        return
    if timing.should_pause:
        assert prompt == f"Pause now and wait: {timing.pause_reason}."
        return
    orders = prompt.partition(".")[0].lower()
    prefer = orders.partition("prefer ")[2].partition(";")[0]
    avoid = orders.partition("avoid ")[2]
    assert {action for action in prefer.split(", ") if action} <= allowed - discouraged
    assert {action for action in avoid.split(", ") if action} == removed


def check_goals(state, now, allowed):
    for complexity in COMPLEXITIES:
        for mode in (None, 0, 1, 3, 6):
            found = assess_goal(state, complexity, [] if mode is None else [mode])
            if found.decision != "accept":
                continue
            assert not (now.timing.should_pause)
            assert not (now.timing.should_escalate)
            assert complexity != "critical" or state.stress < HIGH
            assert complexity == "low" or state.stress < OVER
            assert found.cost <= state.energy
            if mode is not None:
                assert mode not in state.profile.suppressed_modes
                assert CONTRIBUTES[mode] & allowed
