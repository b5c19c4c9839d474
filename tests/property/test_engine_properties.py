"""R12: what holds for any sequence. Profiles of hypothesis are in tests/property/conftest.py."""

from math import copysign

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json

from identity_engine import (
    ACTIONS,
    ALWAYS_FORBIDDEN,
    CONFIG,
    DRIFT_TOLERANCES,
    ENERGY_POLICIES,
    GOVERNANCE,
    RISK_POSTURES,
    SAFE,
    STRESS_TOLERANCES,
    Observation,
    Profile,
    birth,
    canonical,
    contract,
    contract_view,
    control_vector,
    decode,
    drift_view,
    encode,
    process,
    process_all,
    restore,
    snapshot_view,
)
from identity_engine.contract.action_space import action_space

unit = st.floats(0, 1)
strength = st.floats(-1, 1).map(lambda x: x + 0.0)
reports = st.builds(Observation, st.integers(0, 5), unit, unit) | st.builds(Observation, st.just(6), unit, unit, st.booleans())
observations = st.lists(reports, min_size=1, max_size=60)


@st.composite
def profiles(draw):
    kinds = draw(st.lists(st.sampled_from(["core", "suppressed", ""]), min_size=6, max_size=6))
    return Profile(
        tuple(m for m, kind in enumerate(kinds) if kind == "core"),
        tuple(m for m, kind in enumerate(kinds) if kind == "suppressed"),
        draw(st.sampled_from(RISK_POSTURES)),
        draw(st.sampled_from(ENERGY_POLICIES)),
        draw(st.sampled_from(STRESS_TOLERANCES)),
        draw(st.sampled_from(DRIFT_TOLERANCES)),
        draw(st.sampled_from(GOVERNANCE)),
    )


births = st.builds(birth, profiles(), st.tuples(*[strength] * 6, unit), unit)


@pytest.mark.long
@given(births, observations)
def test_R12_bounds_of_every_field(state, sequence):
    for after, drift in process_all(state, sequence):
        assert all(-1 <= v <= 1 for v in after.strengths)
        assert all(0 <= w <= 1 for w in after.coldness)
        assert 0 <= after.energy <= 1
        assert 0 <= after.stability <= 1
        assert after.stress in range(4)
        assert after.system in ("baseline", "stress", "growth")
        assert drift.level in (None, 0, 1, 2, 3)
        assert not drift.rolled_back or drift.level == 3
        assert drift.magnitude >= 0
        control = control_vector(after.strengths, after.stress, after.profile)
        assert all(share >= 0 for share in control)
        assert abs(sum(control) - 1) < 1e-9 or not any(control)
        now = contract(after)
        assert set(now.allowed_actions) | set(now.forbidden_actions) == {*ACTIONS, *ALWAYS_FORBIDDEN}
        assert not set(now.allowed_actions) & set(now.forbidden_actions)
        assert set(now.allowed_actions) >= SAFE
        assert now.timing.max_steps_remaining is None or now.timing.max_steps_remaining >= 0
        assert now.timing.should_pause is (now.timing.pause_reason is not None)
        assert now.timing.should_escalate is (now.timing.escalation_reason is not None)


@pytest.mark.long
@given(births, observations)
def test_R12_action_sets_are_nested_by_stress(state, sequence):
    for after, _ in process_all(state, sequence):
        low, med, high, over = (action_space(after, level).allowed for level in range(4))
        assert over == SAFE
        assert over <= high <= med <= low


@pytest.mark.long
@given(births, observations)
def test_R12_the_same_history_gives_the_same_bytes(state, sequence):
    first, second = (process_all(state, sequence) for _ in range(2))
    assert [encode(s) for s, _ in first] == [encode(s) for s, _ in second]
    assert [canonical(contract_view(contract(s))) for s, _ in first] == [
        canonical(contract_view(contract(s))) for s, _ in second
    ]


@pytest.mark.long
@given(births, observations, st.data())
def test_R12_batch_is_one_by_one_even_through_storage(state, sequence, data):
    batch = process_all(state, sequence)
    cut = data.draw(st.integers(0, len(sequence)))
    stored = state
    for position, observation in enumerate(sequence):
        if position >= cut:
            text = encode(stored)
            # The store's parser is another one: it must read every float as the engine's does, to the last bit.
            assert encode(restore(from_json(text))) == text
            stored = decode(text)
        stored, drift = process(stored, observation)
        assert (stored, drift) == batch[position]


@pytest.mark.long
@given(births, observations)
def test_R12_the_state_has_one_size(state, sequence):
    after = process_all(state, sequence)[-1][0]
    assert len(after.drift.distances) <= CONFIG.drift_window
    assert len(after.memory.episodic.levels) <= CONFIG.recent
    assert len(encode(after)) <= 3_277


@pytest.mark.long
@given(births, observations)
def test_R12_answers_are_plain_json_with_six_decimals(state, sequence):
    after, drift = process_all(state, sequence)[-1]
    views = [snapshot_view(after), contract_view(contract(after)), drift_view(drift)]

    def numbers(value):
        if isinstance(value, dict):
            for item in value.values():
                yield from numbers(item)
        elif isinstance(value, list):
            for item in value:
                yield from numbers(item)
        elif isinstance(value, float):
            yield value

    for number in numbers(views):
        assert number == round(number, 6)
        assert number or copysign(1, number) == 1


@pytest.mark.long
@given(births, st.lists(unit, min_size=200, max_size=200))
def test_R12_calm_always_ends_stress(state, signals):
    """Whatever an agent went through, enough quiet turns bring it back to LOW."""
    stressed = process_all(state, [Observation(6, 1.0)] * 10)[-1][0]
    calm = process_all(stressed, [Observation(0, signal / 2, 0.1) for signal in signals])
    assert calm[-1][0].stress == 0


@pytest.mark.long
@given(births, observations)
def test_R12_stress_never_falls_faster_than_calm_lets_it(state, sequence):
    """Neither a rollback nor a report of little stress ends a crisis."""
    for after, _ in process_all(state, sequence):
        assert after.strengths[6] >= state.strengths[6] - CONFIG.bleed_low - 1e-12
        state = after
