"""Episodic memory: fourteen signals about stress, drift, energy and modes.

A spike is an entry into HIGH or OVER; an episode lasts from there until the state is below HIGH again. "Recent" is the last 20
cycles. Energy trend is a fast average less a slow one: positive while energy rises. Source: docs/engine.md, "Step 8: memory"
(signals P, figures C).
"""

from dataclasses import dataclass

from identity_engine.config import CONFIG, Config
from identity_engine.drift import is_drifting
from identity_engine.memory.record import CycleRecord
from identity_engine.vocabulary import D2, HIGH


@dataclass(frozen=True, slots=True)
class Episodic:
    """Counters and short windows. Cycles are numbers of cycles; None where the thing never happened."""

    energy_fast: float
    energy_slow: float
    energy_min: float
    spikes: int = 0
    first_spike: int = 0
    last_spike: int = 0
    streak: int = 0
    longest_streak: int = 0
    #: Length of the episode that ended with this cycle, 0 if none did.
    ended: int = 0
    recoveries: int = 0
    #: Drift levels of recent cycles, newest last, "-" where there was none.
    levels: str = ""
    last_d2: int | None = None
    drift_events: int = 0
    leader: int | None = None
    leader_streak: int = 0
    #: Changes of leader in recent cycles, a bit each, newest lowest.
    switches: int = 0
    volatile: bool = False


def next_episodic(past: Episodic, record: CycleRecord, config: Config = CONFIG) -> Episodic:
    """Episodic memory after the cycle."""
    high = record.stress >= HIGH
    streak = past.streak + 1 if high else 0
    spiked = streak == 1
    ended = past.streak if not high else 0
    level = record.drift_level
    switched = past.leader is not None and record.leader != past.leader
    energy = record.energy
    # In the order of the fields: keywords would cost a thirtieth of a cycle.
    return Episodic(
        past.energy_fast + config.trend_fast * (energy - past.energy_fast),
        past.energy_slow + config.trend_slow * (energy - past.energy_slow),
        min(past.energy_min, energy),
        past.spikes + spiked,
        record.cycle if spiked and not past.spikes else past.first_spike,
        record.cycle if spiked else past.last_spike,
        streak,
        max(past.longest_streak, streak),
        ended,
        past.recoveries + (ended > 0),
        (past.levels + ("-" if level is None else str(level)))[-config.recent :],
        record.cycle if level == D2 else past.last_d2,
        past.drift_events + is_drifting(level),
        record.leader,
        past.leader_streak + 1 if record.leader == past.leader else 1,
        (past.switches << 1 | switched) & ((1 << config.recent) - 1),
        record.volatile,
    )


def recent_drifts(memory: Episodic) -> int:
    """Drifting cycles among the recent ones."""
    return len(memory.levels) - memory.levels.count("0") - memory.levels.count("-")


def pattern(memory: Episodic, config: Config = CONFIG) -> str:
    """The behavioural pattern: the first that holds, gravest first."""
    if memory.energy_fast < config.pattern_depleted:
        return "energy_depleted"
    if memory.streak >= config.pattern_sustained:
        return "sustained_stress"
    if memory.spikes >= 2 and memory.streak:
        return "recurring_stress"
    if recent_drifts(memory) >= config.pattern_drifting:
        return "active_drift"
    if memory.volatile:
        return "volatile"
    if memory.leader is not None and memory.leader_streak >= config.pattern_locked:
        return "mode_locked"
    return "stable"


def signals(memory: Episodic, cycle: int, config: Config = CONFIG) -> dict[str, int | float | str | None]:
    """The fourteen signals by name. `dominant_mode` is a mode index; `energy_trend` in -1..1."""
    return {
        "stress_spike_count": memory.spikes,
        "avg_spike_interval": ((memory.last_spike - memory.first_spike) / (memory.spikes - 1) if memory.spikes > 1 else None),
        "current_stress_streak": memory.streak,
        "max_stress_streak": memory.longest_streak,
        "d1_recent": memory.levels.count("1"),
        "d2_recent": memory.levels.count("2"),
        "turns_since_last_d2": None if memory.last_d2 is None else cycle - memory.last_d2,
        "total_drift_events": memory.drift_events,
        "energy_trend": memory.energy_fast - memory.energy_slow,
        "energy_min_observed": memory.energy_min,
        "dominant_mode": memory.leader,
        "dominant_mode_streak": memory.leader_streak,
        "mode_switches_recent": memory.switches.bit_count(),
        "behavioral_pattern": pattern(memory, config),
    }
