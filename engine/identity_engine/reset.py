"""Resets: what only people decide. Pure, like a cycle, so that they replay (docs/api.md, "Endpoints").

    initial      as the agent was born
    default      a clean neutral state: all modes at rest, full starting energy
    last_stable  modes, energy and anchor of the last cycle at D0 and LOW, stress put to rest; the cycle count goes on
    rebaseline   the agent as it is now is the new normal: anchor and rest point are set here, and youth begins again

The identity profile stays in every case: it is fixed at creation, and a reset must not widen what governance allows.
`last_stable` and `rebaseline` keep memory. `rebaseline` keeps stress, energy and the cycle count too. Source: docs/engine.md,
"Resets".
"""

from dataclasses import replace
from typing import Final

from identity_engine.chronic import Chronic
from identity_engine.config import CONFIG, Config
from identity_engine.drift import DriftState, mean_strengths, rest_point, restore
from identity_engine.memory import feedback
from identity_engine.state import State, birth
from identity_engine.stress import stress_level, thresholds
from identity_engine.vocabulary import BASELINE, STRESS_RESPONSE
from identity_engine.volatility import Volatility

RESETS: Final = ("initial", "last_stable", "default", "rebaseline")


def reset(state: State, mode: str, config: Config = CONFIG) -> State:
    """The state after a reset of the given kind; ValueError for another word than `RESETS`."""
    if mode == "initial":
        return birth(state.profile, state.birth_strengths, state.birth_energy)
    if mode == "default":
        # What "initial" means stays with the instance.
        return replace(birth(state.profile), birth_strengths=state.birth_strengths, birth_energy=state.birth_energy)
    if mode == "last_stable":
        return _last_stable(state, config)
    if mode == "rebaseline":
        return _rebaseline(state, config)
    raise ValueError(f"unknown reset {mode!r}: one of {', '.join(RESETS)}")


def _last_stable(state: State, config: Config) -> State:
    past = state.drift
    strengths, coldness, anchor = restore(past.rest, state.strengths, state.coldness, keep_stress=False)
    spikes = feedback(state.memory, config).spikes
    return replace(
        state,
        strengths=strengths,
        coldness=coldness,
        energy=past.rest.energy,
        drift=DriftState(past.rest, past.anchor and anchor, past.reports, past.youth),
        volatility=Volatility(),
        chronic=Chronic(),
        stress=stress_level(strengths[STRESS_RESPONSE], thresholds(state.profile, spikes, config)),
        system=BASELINE,
        calm_streak=0,
        rested_streak=0,
        over_streak=0,
        exhausted_streak=0,
    )


def _rebaseline(state: State, config: Config) -> State:
    past = state.drift
    anchor = None if past.anchor is None else mean_strengths(state.strengths, state.coldness)
    rest = rest_point(state.strengths, state.coldness, state.energy, anchor, state.stress)
    youth = max(past.youth, past.reports + config.youth_again)
    return replace(state, drift=DriftState(rest, anchor, past.reports, youth))
