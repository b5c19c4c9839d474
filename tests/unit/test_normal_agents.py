"""The rows N1 to N10 of docs/engine.md, each named after its row. N7 stands in tests/property/test_contract_consistency.py."""

from random import Random

import pytest

from benchmarks import normal
from benchmarks.normal import play, settled, turns
from identity_engine import PERSONAS, RISKY, Observation, birth, process, reset


def hold(rows):
    found = list(rows)
    assert found
    assert not [row for row in found if not row.met]


def test_N1_agents_of_steady_habits_are_left_alone():
    hold(normal.n1_habits())


def test_N2_an_agent_that_reads_and_then_works_is_no_other_agent():
    hold(normal.n2_youth())


def test_N3_a_few_failures_restrict_for_a_while():
    hold(normal.n3_failures())


def test_N4_failures_that_go_on_restrict_however_weak():
    hold(normal.n4_chronic())


def test_N5_nothing_but_calm_brings_stress_down():
    hold(normal.n5_stress())


def test_N6_a_takeover_is_found_and_held():
    hold(normal.n6_takeover())


def test_N8_chaos_in_other_forms():
    hold(normal.n8_chaos())


def test_N9_what_passes_and_what_waits_for_a_decision():
    hold(normal.n9_decisions())


def test_N10_flags_do_not_flap():
    hold(normal.n10_flapping())


def test_an_incident_is_HIGH_at_once_and_one_ordinary_report_never_is():
    calm = play(settled()).states[-1]
    assert process(calm, Observation(6, 0.5, 0.2, incident=True))[0].stress == 2
    assert process(calm, Observation(6, 1.0))[0].stress == 1


def test_after_the_third_rollback_nothing_is_rolled_back_until_somebody_decides():
    run = play(settled() + turns(normal.TRIO, 300, 0.95))
    held = run.states[-1]
    assert run.rollbacks == 3
    assert [state.drift.rollbacks for state in run.states[-200:]] == [3] * 200
    assert any(state.drift.last.level == 3 and not state.drift.last.rolled_back for state in run.states)
    for decision, modes in (("rebaseline", normal.TRIO), ("last_stable", (0, 2))):
        decided = reset(held, decision)
        later = play(turns(modes, 60, 0.95 if decision == "rebaseline" else 0.5), decided)
        assert set(later.contracts[0].allowed_actions) >= RISKY
        assert not later.held()


def test_rebaseline_keeps_stress_energy_memory_and_cycle():
    state = play(settled() + [Observation(6, 0.9)] * 3 + turns(normal.TRIO, 30, 0.95)).states[-1]
    decided = reset(state, "rebaseline")
    assert (decided.strengths, decided.energy, decided.memory, decided.cycle) == (
        state.strengths,
        state.energy,
        state.memory,
        state.cycle,
    )
    assert (decided.drift.rollbacks, decided.drift.distances, decided.drift.last_rollback) == (0, (), 0)
    assert decided.drift.youth == state.drift.reports + 60


@pytest.mark.parametrize("persona", PERSONAS, ids=lambda persona: persona.id)
def test_an_ordinary_agent_of_any_persona_is_not_volatile(persona):
    for seed in range(3):
        run = play(normal.coding_agent(Random(seed)), birth(persona.profile, persona.mode_profile))
        assert not any(state.volatility.streak for state in run.states)
        assert (run.flagged(), run.rollbacks) == (0, 0)
