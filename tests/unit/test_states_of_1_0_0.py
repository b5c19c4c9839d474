"""States that engine 1.0.0 stored (states_1_0_0.json, written by it) are read, and go on under this engine."""

import json
from pathlib import Path

import pytest

from identity_engine import ENGINE_VERSION, Observation, contract, decode, encode, process, process_all

STATES = json.loads((Path(__file__).parent / "states_1_0_0.json").read_text())


@pytest.mark.parametrize("name", STATES)
def test_a_stored_state_is_read_and_goes_on(name):
    old = STATES[name]
    state = decode(json.dumps(old))
    assert state.engine_version == ENGINE_VERSION
    assert (list(state.strengths), state.energy, state.cycle, state.stress) == (
        old["strengths"],
        old["energy"],
        old["cycle"],
        old["stress"],
    )
    assert (state.drift.reports, state.volatility.ranks, state.chronic.count) == (0, "", 0)
    assert (state.drift.rollbacks, state.drift.last_rollback) == (old["strikes"], old["last_strike"])
    assert decode(encode(state)) == state
    after = process_all(state, [Observation(turn % 3, 0.5) for turn in range(150)])[-1][0]
    assert contract(after).allowed_actions
    assert after.drift.youth == 0


def test_an_anchor_of_1_0_0_holds_no_stress():
    state = decode(json.dumps(STATES["crisis"]))
    assert state.drift.anchor[6] == state.drift.rest.anchor[6] == 0.0
    assert not process(state, Observation(0, 0.5))[1].rolled_back


def test_a_state_of_an_unknown_engine_is_refused_by_name():
    with pytest.raises(ValueError, match=r"a state of engine 9.9.9; this is engine .* reads 1.0.0"):
        decode(json.dumps(STATES["steady"] | {"engine_version": "9.9.9"}))
