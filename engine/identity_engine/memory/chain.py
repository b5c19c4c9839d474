"""The layers in their order, and what they feed back into the next cycle."""

from dataclasses import dataclass

from identity_engine.config import CONFIG, Config
from identity_engine.memory.coherence import Coherence, next_coherence
from identity_engine.memory.episodic import Episodic, next_episodic
from identity_engine.memory.growth import Growth, next_growth
from identity_engine.memory.narrative import Narrative, next_narrative
from identity_engine.memory.record import CycleRecord
from identity_engine.memory.self_model import SelfModel, next_self_model
from identity_engine.values import Vector


@dataclass(frozen=True, slots=True)
class Memory:
    """All layers."""

    episodic: Episodic
    growth: Growth
    self_model: SelfModel
    coherence: Coherence
    narrative: Narrative


@dataclass(frozen=True, slots=True)
class Feedback:
    """What the past does to the present (P).

    `spikes` counts past stress spikes: two or more lower HIGH and OVER. `near_empty` raises the energy floor. `comfort` joins
    what is guaranteed below OVER. `guarded` removes the risky actions already at MED and makes the style averse and measured.
    """

    spikes: int = 0
    near_empty: bool = False
    comfort: bool = False
    guarded: bool = False


_NONE = Feedback()


def first_memory(strengths: Vector, energy: float) -> Memory:
    """The memory of an agent that has done nothing yet."""
    return Memory(
        Episodic(energy, energy, energy), Growth(strengths, strengths), SelfModel(strengths), Coherence(), Narrative()
    )


def remember(past: Memory, record: CycleRecord, config: Config = CONFIG) -> Memory:
    """Memory after the cycle."""
    episodic = next_episodic(past.episodic, record, config)
    growth = next_growth(past.growth, record, config)
    self_model = next_self_model(past.self_model, record, episodic, growth, config)
    coherence = next_coherence(past.coherence, record, config)
    narrative = next_narrative(past.narrative, record, episodic, config)
    return Memory(episodic, growth, self_model, coherence, narrative)


def feedback(memory: Memory, config: Config = CONFIG) -> Feedback:
    """What this past does to the next cycle; nothing while `config.memory_feedback` is off."""
    if not config.memory_feedback:
        return _NONE
    episodic = memory.episodic
    recovered = episodic.recoveries > 0
    return Feedback(
        episodic.spikes,
        episodic.energy_min <= config.energy_near_empty,
        recovered,
        recovered and memory.self_model.resilience < config.resilience_low,
    )
