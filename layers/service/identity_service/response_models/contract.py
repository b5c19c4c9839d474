"""The ExecutionContract, its explanation, an assessed goal. docs/engine.md, "The contract", says what decides each field."""

from typing import Literal

from pydantic import Field

from identity_service.response_models.words import (
    Action,
    AnyAction,
    Complexity,
    Energy,
    ModeTitle,
    Shape,
    Stability,
    StressState,
    SystemState,
    Time,
    Unit,
    may_be_absent,
)

Level = Literal["low", "medium", "high"]
#: The rules of an explanation: those that allow an action, then those that remove one.
Rule = Literal[
    "safe", "past_recovery", "governance_strict", "governance_relaxed", "governance_stress_only",
    "always_forbidden", "suppressed_modes", "risk_posture", "volatile", "chronic", "low_resilience",
    "stress_high", "stress_over", "after_rollback", "should_pause", "should_escalate",
]  # fmt: skip
Step = Literal["vocabulary", "3 stress", "6 drift", "8 memory", "contract: action space", "contract: timing"]


class DecisionStyleModel(Shape):
    """The decision style that the contract asks for."""

    tempo: Literal["measured", "observant", "exploratory", "decisive"] = Field(description="How fast to decide, and on what.")
    risk: Literal["seeking", "moderate", "bounded", "averse"] = Field(description="How much risk to take, boldest first.")
    expressiveness: Level = Field(description="How outspoken to be.")
    commitment_threshold: Level = Field(description="How sure to be before committing to something.")


class RecoveryProfileModel(Shape):
    """The recovery path that the contract asks for."""

    preferred_path: Literal["baseline", "rapid", "gradual", "oscillating"] = Field(
        description="baseline when there is nothing to recover from, oscillating when crises recur."
    )
    support_required: bool = Field(description="Whether the agent should get help: at OVER, or when energy is gone.")
    cooldown_required: bool = Field(description="Whether calm work should come first: while the system state is stress.")


class HardLocksModel(Shape):
    """Limits that apply at stress OVER or when the Identity mode is very high; null otherwise."""

    option_set_max: int | None = Field(description="Most options to weigh at a time.")
    novelty_rate: float | None = Field(description="Largest share of new approaches, 0 to 1.")
    noise_filter_min: float | None = Field(description="Least strength of a signal to react to, 0 to 1.")
    exec_strictness_min: float | None = Field(description="Least strictness of execution, 0 to 1.")
    goal_resistance_min: float | None = Field(description="Least resistance to new goals, 0 to 1.")
    pivot_threshold_min: float | None = Field(description="Least reason to change course, 0 to 1.")


class Reason(Shape):
    """Why an action is allowed or forbidden, and when it returns."""

    action: AnyAction = Field(description="The action.")
    allowed: bool = Field(description="Whether it is allowed now.")
    rule: Rule = Field(description="The rule that decided.")
    step: Step = Field(description="The engine's step that the rule belongs to.")
    because: str = Field(description="The rule in words, with the figure behind it.")
    returns_when: str | None = Field(description="What would bring the action back; null if it is allowed or never returns.")
    calm_cycles: int | None = Field(description="Calm cycles until it returns; null where calm alone does not do it.")


class ContractModel(Shape):
    """The ExecutionContract: what the agent may do now."""

    dominant_modes: list[ModeTitle] = Field(description="Modes at 0.35 or more.")
    suppressed_modes: list[ModeTitle] = Field(
        description="Modes that the profile suppresses, that are below 0, or that HIGH dampens (exploration, assertion)."
    )
    allowed_actions: list[Action] = Field(description="What the agent may do now, most in character first.")
    forbidden_actions: list[AnyAction] = Field(description="What it may not do, with the two that no agent ever may.")
    stress_state: StressState
    system_state: SystemState
    energy_level: Energy
    stability_index: Stability
    should_pause: bool = Field(description="Whether the agent should stop working for now. It has no risky action then.")
    pause_reason: str | None = Field(description="Why it should pause; null if it need not.")
    should_escalate: bool = Field(description="Whether a person is needed. The agent has only the safe actions then.")
    escalation_reason: str | None = Field(description="Why a person is needed; null if none is.")
    max_steps_remaining: int | None = Field(description="Cycles until energy runs out; null if it does not fall.")
    trust: Unit = Field(description="How far the agent may be left alone.")
    delegation_allowed: bool = Field(description="Whether it may hand work to another agent.")
    max_delegation_complexity: Complexity | None = Field(description="The most complex goal it may hand over; null if none.")
    collaboration_style: Literal["autonomous", "paired", "supervised"] = Field(description="How to work with it.")
    verification_required: bool = Field(description="Whether its work must be checked.")
    preferred_actions: list[Action] = Field(description="Allowed actions that fit the agent well.")
    discouraged_actions: list[Action] = Field(description="Actions that do not fit it, allowed or not.")
    action_alignment: dict[Action, float] = Field(description="How well each action fits the agent, -0.5 to 1.")
    decision_style: DecisionStyleModel = Field(description="How to decide.")
    recovery_profile: RecoveryProfileModel = Field(description="How to recover.")
    hard_locks: HardLocksModel = Field(description="Limits for the agent's own decision loop.")
    narrative_prompt: str = Field(description="The contract as orders to a language model.")


class ProofModel(Shape):
    """The audit record that an earlier contract follows from."""

    record: int = Field(ge=1, description="The number of the record.")
    at: Time = Field(description="When, in UTC.")
    engine_version: str = Field(description="The engine that decided.")
    digest: str = Field(description="The digest of the record.")


class ContractExplained(ContractModel):
    """A contract, with an explanation when the request asked for one, and a proof when it asked for an earlier cycle."""

    explanation: list[Reason] = may_be_absent("A reason for each of the fourteen actions, with `explain=true`.")
    cycle: int = may_be_absent("The cycle that was asked for, with `cycle`.")
    proof: ProofModel = may_be_absent("The record that the contract follows from, with `cycle`.")


class GoalModel(Shape):
    """An assessed goal."""

    decision: Literal["accept", "defer", "reject"] = Field(description="Whether the agent should take it on now.")
    reason: str = Field(description="Why, with the figure behind it.")
    energy_cost: float = Field(ge=0, description="The energy that the goal costs.")
    energy_budget: Unit = Field(description="The energy that is left.")
