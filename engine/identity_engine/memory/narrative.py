"""Narrative phase: where the agent stands in its own story, and what led there.

The first that holds: stressed (HIGH or OVER), recovering (after that, until rested), growing (system state growth), exploring
(much drift or many changes of leader of late), stable. Source: docs/engine.md, "Step 8: memory"; rules C.
"""

from dataclasses import dataclass

from identity_engine.config import CONFIG, Config
from identity_engine.memory.episodic import Episodic, recent_drifts
from identity_engine.memory.record import CycleRecord
from identity_engine.vocabulary import GROWTH, HIGH, LOW, STRESS


@dataclass(frozen=True, slots=True)
class Narrative:
    """The phase, the cycle it began in, the phase before it, and the cause of the change."""

    phase: str = "stable"
    since: int = 0
    before: str | None = None
    cause: str = "birth"


def next_narrative(past: Narrative, record: CycleRecord, episodic: Episodic, config: Config = CONFIG) -> Narrative:
    """The story after the cycle."""
    phase, cause = _phase(past.phase, record, episodic, config)
    if phase == past.phase:
        return past
    return Narrative(phase, record.cycle, past.phase, cause)


def _phase(current: str, record: CycleRecord, episodic: Episodic, config: Config) -> tuple[str, str]:
    if record.stress >= HIGH:
        return "stressed", "pressure"
    tired = record.system == STRESS or record.stress > LOW or record.energy < config.rested_energy
    if current in ("stressed", "recovering") and tired:
        return "recovering", "relief"
    if record.system == GROWTH:
        return "growing", "rest"
    if recent_drifts(episodic) >= config.exploring_drift:
        return "exploring", "drift"
    if episodic.switches.bit_count() >= config.exploring_switches:
        return "exploring", "switching"
    return "stable", "calm"
