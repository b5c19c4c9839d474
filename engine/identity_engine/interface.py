"""What callers ask of any release of the engine, in text and plain values alone.

The service runs several releases side by side (docs/architecture.md, "Engines side by side"), and knows none of their types:

    a state         canonical JSON text going out, its parsed document coming in; a document is used up by the call
    an observation  a history row: mode_target, signal_strength, confidence, severity
    a view          a dictionary that is ready for JSON

A release keeps these functions for ever. A later one may add functions and parameters with a default, and nothing else.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from identity_engine.codec import READABLE, encode, restore, snapshot_id
from identity_engine.config import ENGINE_VERSION
from identity_engine.contract import assess_goal, timing
from identity_engine.contract import contract as contract_of
from identity_engine.cycle import process_all
from identity_engine.reset import RESETS
from identity_engine.reset import reset as reset_state
from identity_engine.state import State
from identity_engine.state import birth as born
from identity_engine.values import Observation, Profile
from identity_engine.views import (
    MODE_CONSTANTS,
    contract_view,
    drift_event_view,
    drift_view,
    explanation_view,
    goal_view,
    memory_view,
    snapshot_view,
    standing_view,
    thresholds_view,
    turn_view,
)

#: The version of this release.
VERSION: Final = ENGINE_VERSION
#: The older versions whose states `migrate` takes over.
MIGRATES: Final = READABLE[:-1]
#: The kinds of reset that `reset` knows.
RESET_MODES: Final = RESETS

Document = dict[str, Any]
Which = Literal["none", "last", "every"]


def birth(profile: Mapping[str, Any], strengths: Sequence[float], energy: float) -> str:
    """The state of a new agent. `profile`: the fields of a profile, modes as their indexes. ValueError for negative stress."""
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in profile.items()}
    return encode(born(Profile(**fields), tuple(strengths), energy))


def birth_inputs(state: Document) -> dict[str, Any]:
    """What `birth` was given to make a state: for births and personality tests, under whichever version is asked."""
    return {"profile": state["profile"], "strengths": state["birth_strengths"], "energy": state["birth_energy"]}


def process(
    state: Document, observations: Iterable[Mapping[str, Any]], *, snapshots: Which = "last", contracts: Which = "none"
) -> dict[str, Any]:
    """`state` after the observations, one of `steps` for each of them, and `before`: cycle and turn before the first.

    A step has cycle, drift, event (a drift event or None), and turn (the cycle in a few figures); `snapshots` and `contracts`
    say which steps have a snapshot and a contract too. The turn of `before` may lack allowed_count. At least one observation.
    """
    before = restore(state)
    results = process_all(before, [_observation(row) for row in observations])
    last = len(results) - 1
    final = encode(results[last][0])
    steps = []
    for number, (after, drift) in enumerate(results):
        step: dict[str, Any] = {
            "cycle": after.cycle,
            "drift": drift_view(drift),
            "event": drift_event_view(drift, after.cycle),
        }
        if _wanted(snapshots, number == last):
            step["snapshot"] = _snapshot(after, final if number == last else encode(after))
        decided = contract_of(after) if _wanted(contracts, number == last) else None
        if decided:
            step["contract"] = contract_view(decided)
        step["turn"] = turn_view(after, drift, decided)
        steps.append(step)
    then = standing_view(before, before.drift.last, timing(before))
    return {"state": final, "steps": steps, "before": {"cycle": before.cycle, "turn": then}}


def _wanted(which: Which, is_last: bool) -> bool:
    return which == "every" or (which == "last" and is_last)


def _observation(row: Mapping[str, Any]) -> Observation:
    # Rows of 1.0.0 have no severity.
    incident = row.get("severity", "normal") == "incident"
    return Observation(MODE_CONSTANTS.index(row["mode_target"]), row["signal_strength"], row["confidence"], incident)


def _snapshot(state: State, text: str) -> dict[str, Any]:
    return {"id": snapshot_id(text), **snapshot_view(state)}


def reset(state: Document, mode: str) -> str:
    """The state after a reset; ValueError for a mode that this version does not know."""
    return encode(reset_state(restore(state), mode))


def migrate(state: Document) -> str:
    """The state of an older version, taken over. ValueError for a version that is not in `MIGRATES`."""
    return encode(restore(state))


def snapshot(state: Document) -> dict[str, Any]:
    """The snapshot view with its content-addressed id."""
    restored = restore(state)
    return _snapshot(restored, encode(restored))


def turn(state: Document) -> dict[str, Any]:
    """The last cycle in a few figures: stress, energy, drift, allowed actions, and whether the agent waits for a person."""
    restored = restore(state)
    return turn_view(restored, restored.drift.last)


def drift(state: Document) -> dict[str, Any]:
    """The drift of the last cycle; level None before it is measured."""
    return drift_view(restore(state).drift.last)


def thresholds(state: Document) -> dict[str, float]:
    """From which strength stress is MED, HIGH, OVER for the agent now, and from which distance its drift is D1, D2, D3."""
    return thresholds_view(restore(state))


def memory(state: Document) -> dict[str, Any]:
    """What the agent remembers."""
    return memory_view(restore(state))


def contract(state: Document) -> dict[str, Any]:
    """What the agent may do now."""
    return contract_view(contract_of(restore(state)))


def explanation(state: Document) -> list[dict[str, Any]]:
    """A reason for each of the fourteen actions."""
    return explanation_view(restore(state))


def goal(state: Document, complexity: str, modes: Sequence[str]) -> dict[str, Any]:
    """Whether the agent should take on a goal that needs these modes (constants such as "ORDER")."""
    indexes = [MODE_CONSTANTS.index(name) for name in modes]
    return goal_view(assess_goal(restore(state), complexity, indexes))
