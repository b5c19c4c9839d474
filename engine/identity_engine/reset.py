"""Resets: an operator's way back. Pure, like a cycle, so that they replay (spec/api.md, `POST .../reset`).

    initial      as the agent was born
    default      a clean neutral state: all modes at rest, full starting energy
    last_stable  modes, energy and anchor of the last cycle at D0 and LOW; the cycle count goes on

The identity profile stays in every case: it is fixed at creation, and a reset must not widen what governance allows.
"""

from dataclasses import replace
from typing import Final

from identity_engine.config import CONFIG, Config
from identity_engine.memory import feedback
from identity_engine.state import State, birth
from identity_engine.stress import stress_level, thresholds
from identity_engine.values import Drift
from identity_engine.vocabulary import BASELINE, STRESS_RESPONSE

RESETS: Final = ("initial", "last_stable", "default")


def reset(state: State, mode: str, config: Config = CONFIG) -> State:
    """The state after a reset of the given kind; ValueError for another word than `RESETS`."""
    if mode == "initial":
        return birth(state.profile, state.birth_strengths, state.birth_energy)
    if mode == "default":
        # What "initial" means stays with the instance.
        return replace(birth(state.profile), birth_strengths=state.birth_strengths, birth_energy=state.birth_energy)
    if mode != "last_stable":
        raise ValueError(f"unknown reset {mode!r}: one of {', '.join(RESETS)}")
    rest = state.stable
    spikes = feedback(state.memory, config).spikes
    return replace(
        state,
        strengths=rest.strengths,
        coldness=rest.coldness,
        energy=rest.energy,
        anchor=rest.anchor,
        stress=stress_level(rest.strengths[STRESS_RESPONSE], thresholds(state.profile, spikes, config)),
        system=BASELINE,
        calm_streak=0,
        rested_streak=0,
        over_streak=0,
        empty_streak=0,
        distances=(),
        drift=Drift(),
        strikes=0,
    )
