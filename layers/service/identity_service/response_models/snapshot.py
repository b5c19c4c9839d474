"""The snapshot and the memory behind it. docs/engine.md, "Step 8: memory", says how each signal comes about."""

from typing import Annotated, Literal

from pydantic import Field

from identity_engine.composites import COMPOSITES
from identity_service.response_models.words import (
    ByMode,
    CreatedAt,
    Cycle,
    CycleCount,
    Energy,
    EngineVersion,
    InstanceId,
    ModeConstant,
    PersonaId,
    Shape,
    Stability,
    StressState,
    SystemState,
    Unit,
    UpdatedAt,
)

Composite = Literal[tuple(COMPOSITES.values())]  # type: ignore[valid-type]
Count = Annotated[int, Field(ge=0)]
Phase = Literal["stable", "exploring", "stressed", "recovering", "growing"]


class Match(Shape):
    """A persona and its similarity score."""

    id: PersonaId
    score: Unit = Field(description="Cosine of the mode strengths and the persona's profile, 0 where they point apart.")


class Matches(Shape):
    """The two best persona matches; null while all modes are at rest."""

    primary: Match | None = Field(description="The persona that the agent is most like.")
    secondary: Match | None = Field(description="The second best match.")


class SnapshotModel(Shape):
    """The agent's current state. The id is content-addressed: the same history gives the same id."""

    id: str = Field(
        pattern="^snap_[0-9a-f]{16}$",
        description="`snap_` and the first 16 hex digits of the SHA-256 of the canonical state.",
    )
    instance_id: InstanceId
    cycle: Cycle
    mode_strengths: ByMode = Field(description="The strength of each mode, -1 to 1. A mode is active from 0.15 either way.")
    energy_level: Energy
    stress_state: StressState
    system_state: SystemState
    stability_index: Stability
    persona: Matches = Field(description="The two personas that the agent is most like now.")
    composites: list[Composite] = Field(  # type: ignore[valid-type]
        description="A name for each pair of active modes: analysis is perception and order."
    )


class EpisodicModel(Shape):
    """Fourteen signals; null when the event never happened. Recent: the last 20 cycles."""

    stress_spike_count: Count = Field(description="Entries into HIGH or OVER so far.")
    avg_spike_interval: float | None = Field(description="Mean cycles from one spike to the next; null before the second.")
    current_stress_streak: Count = Field(description="Cycles in a row at HIGH or OVER, up to now.")
    max_stress_streak: Count = Field(description="The longest such streak so far.")
    d1_recent: Count = Field(description="Recent cycles at D1.")
    d2_recent: Count = Field(description="Recent cycles at D2.")
    turns_since_last_d2: Count | None = Field(description="Cycles since the last one at D2; null if there was none.")
    total_drift_events: Count = Field(description="Cycles at D1 or above so far.")
    energy_trend: float = Field(description="A fast mean of energy less a slow one: above 0 while energy rises.")
    energy_min_observed: Energy = Field(description="The lowest energy so far.")
    dominant_mode: ModeConstant | None = Field(description="The leading mode; null while all modes are at rest.")
    dominant_mode_streak: Count = Field(description="Cycles in a row under this leading mode.")
    mode_switches_recent: Count = Field(description="Recent changes of the leading mode.")
    behavioral_pattern: Literal[
        "stable",
        "sustained_stress",
        "recurring_stress",
        "active_drift",
        "mode_locked",
        "volatile",
        "energy_depleted",
    ] = Field(description="The gravest pattern that holds.")


class SelfModelModel(Shape):
    """Traits learned from the agent's history."""

    stress_resilience: Unit = Field(description="0.5 at birth. Short episodes of stress raise it, long ones lower it.")
    trait_stability: Unit = Field(description="How little the modes moved over the last window of 50 cycles.")
    energy_efficiency: Unit = Field(description="Mean energy over the last window of 50 cycles.")


class NarrativeModel(Shape):
    """The agent's current phase, the cycle in which it began, the phase before it, and the cause of the change."""

    phase: Phase = Field(description="Where the agent stands in its own story.")
    since: int = Field(description="The cycle in which the phase began.")
    before: Phase | None = Field(description="The phase before it; null in the first one.")
    cause: Literal["birth", "pressure", "relief", "rest", "drift", "switching", "calm"] = Field(description="What led to it.")


class MemoryModel(Shape):
    """The agent's memory."""

    episodic: EpisodicModel = Field(description="Fourteen signals of stress, drift, energy and modes.")
    self_model: SelfModelModel = Field(description="What the agent has turned out to be like.")
    growth_direction: ByMode = Field(description="Where each mode is heading, in strength: above 0 while it gains.")
    identity_coherence: Unit = Field(description="Whether the agent is still as it has been, and as its profile says.")
    narrative: NarrativeModel = Field(description="The story so far.")


class SnapshotStanding(SnapshotModel):
    """A snapshot with its instance's times and memory."""

    cycle_count: CycleCount
    engine_version: EngineVersion
    created_at: CreatedAt
    updated_at: UpdatedAt
    memory: MemoryModel = Field(description="What the agent remembers.")
