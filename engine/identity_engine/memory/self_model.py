"""Self-model: what the agent has turned out to be like.

    resilience' = 0.7 * resilience + 0.3 * 0.5^(cycles / 50)     at the end of each stress episode; starts at 0.5   (P)
    trait_stability   = 1 - min(1, distance of the slow averages at two window ends / 0.24)
    energy_efficiency = mean energy over the window

Windows have 50 cycles. All in 0..1; the last two are 1 until the first window is over. The power of one half is made of
multiplications, since the pow() of two machines may differ in the last digit. Source: docs/engine.md, "Step 8: memory".
"""

from dataclasses import dataclass

from identity_engine.config import CONFIG, Config
from identity_engine.drift import distance
from identity_engine.memory.episodic import Episodic
from identity_engine.memory.growth import Growth
from identity_engine.memory.record import CycleRecord
from identity_engine.values import Vector


def half_life(cycles: int, config: Config = CONFIG) -> float:
    """0.5^(cycles / 50) by multiplication alone.

    >>> half_life(0), half_life(100), round(half_life(25) ** 2, 12)
    (1.0, 0.25, 0.5)
    """
    halvings, rest = divmod(cycles, config.resilience_half)
    value = 1.0 / (1 << min(halvings, 1000))
    for _ in range(rest):
        value *= config.resilience_root
    return value


@dataclass(frozen=True, slots=True)
class SelfModel:
    """The three traits, and what the running window has seen: its energy, and the slow averages at its start."""

    reference: Vector
    resilience: float = CONFIG.resilience_start
    trait_stability: float = 1.0
    energy_efficiency: float = 1.0
    window_energy: float = 0.0


def resilience_after(past: SelfModel, cycles: int, config: Config = CONFIG) -> float:
    """Resilience once an episode of so many cycles is over."""
    keep = config.resilience_keep
    return keep * past.resilience + (1 - keep) * half_life(cycles, config)


def next_self_model(
    past: SelfModel, record: CycleRecord, episodic: Episodic, growth: Growth, config: Config = CONFIG
) -> SelfModel:
    """The self-model after the cycle."""
    resilience = past.resilience
    if episodic.ended:
        resilience = resilience_after(past, episodic.ended, config)
    energy = past.window_energy + record.energy
    if record.cycle % config.trait_window:
        return SelfModel(past.reference, resilience, past.trait_stability, past.energy_efficiency, energy)
    shift = distance(tuple([now - then for now, then in zip(growth.slow, past.reference, strict=True)]))
    return SelfModel(
        growth.slow, resilience, 1 - min(1.0, shift / config.drift_d2), min(1.0, energy / config.trait_window), 0.0
    )
