"""Response models for the OpenAPI document. No function imports this module at run time."""

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from identity_engine import ACTIONS, ALWAYS_FORBIDDEN, MODE_CONSTANTS, MODE_TITLES

T = TypeVar("T")

Action = Literal[ACTIONS]  # type: ignore[valid-type]
AnyAction = Literal[(*ACTIONS, *ALWAYS_FORBIDDEN)]  # type: ignore[valid-type]
ModeConstant = Literal[MODE_CONSTANTS]  # type: ignore[valid-type]
ModeTitle = Literal[MODE_TITLES]  # type: ignore[valid-type]
StressState = Literal["LOW", "MED", "HIGH", "OVER"]
Complexity = Literal["low", "medium", "high", "critical"]
SystemState = Literal["baseline", "stress", "growth"]
Unit = Annotated[float, Field(ge=0, le=1)]
ByMode = dict[ModeConstant, float]
Phase = Literal["stable", "exploring", "stressed", "recovering", "growing"]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class Shape(BaseModel):
    """Base class: a closed object, without additional fields."""

    model_config = ConfigDict(extra="forbid")


class Data(Shape, Generic[T]):
    """A successful response."""

    data: T


class Pagination(Shape):
    """The position of the rows in the whole list."""

    limit: int
    offset: int
    total: int
    has_more: bool


class Rows(Shape, Generic[T]):
    """A page of a list."""

    data: list[T]
    pagination: Pagination


class ErrorResponse(BaseModel):
    """The body of every error. Some errors add a field: retry_after (429, 503), missing_questions (400 incomplete_test)."""

    error: str
    message: str
    details: dict[str, Any]
    retry_after: int | None = None
    missing_questions: list[str] | None = None


class InstanceModel(Shape):
    """An instance."""

    id: Annotated[str, Field(pattern="^inst_[0-9a-f]{16}$")]
    name: str
    description: str
    created_at: Time
    updated_at: Time


class InstanceStanding(InstanceModel):
    """An instance with its current state."""

    cycle_count: Annotated[int, Field(description="Observations ever processed. A reset does not change it.")]
    energy_level: Unit
    stress_state: StressState
    stability_index: Unit


class InstanceRow(Shape):
    """An instance in a list."""

    id: str
    name: str
    description: str
    created_at: Time
    cycle_count: int
    energy_level: Unit


class DeletedModel(Shape):
    """A deleted instance."""

    id: str
    deleted: Literal[True]


class Match(Shape):
    """A persona and its similarity score."""

    id: str
    score: Unit


class Matches(Shape):
    """The two best persona matches; null while all modes are at rest."""

    primary: Match | None
    secondary: Match | None


class SnapshotModel(Shape):
    """The agent's current state. The id is content-addressed: the same history gives the same id."""

    id: Annotated[str, Field(pattern="^snap_[0-9a-f]{16}$")]
    instance_id: str
    cycle: int
    mode_strengths: ByMode
    energy_level: Unit
    stress_state: StressState
    system_state: SystemState
    stability_index: Unit
    persona: Matches
    composites: list[str]


class EpisodicModel(Shape):
    """Fourteen signals; null when the event never happened. Recent: the last 20 cycles."""

    stress_spike_count: int
    avg_spike_interval: float | None
    current_stress_streak: int
    max_stress_streak: int
    d1_recent: int
    d2_recent: int
    turns_since_last_d2: int | None
    total_drift_events: int
    energy_trend: float
    energy_min_observed: Unit
    dominant_mode: ModeConstant | None
    dominant_mode_streak: int
    mode_switches_recent: int
    behavioral_pattern: Literal[
        "stable",
        "sustained_stress",
        "recurring_stress",
        "active_drift",
        "mode_locked",
        "volatile",
        "energy_depleted",
    ]


class SelfModelModel(Shape):
    """Traits learned from the agent's history."""

    stress_resilience: Unit
    trait_stability: Unit
    energy_efficiency: Unit


class NarrativeModel(Shape):
    """The agent's current phase, the cycle in which it began, the phase before it, and the cause of the change."""

    phase: Phase
    since: int
    before: Phase | None
    cause: Literal["birth", "pressure", "relief", "rest", "drift", "switching", "calm"]


class MemoryModel(Shape):
    """The agent's memory."""

    episodic: EpisodicModel
    self_model: SelfModelModel
    growth_direction: ByMode
    identity_coherence: Unit
    narrative: NarrativeModel


class SnapshotStanding(SnapshotModel):
    """A snapshot with its instance's times and memory."""

    cycle_count: int
    created_at: Time
    updated_at: Time
    memory: MemoryModel


class DecisionStyleModel(Shape):
    """The decision style that the contract asks for."""

    tempo: Literal["measured", "observant", "exploratory", "decisive"]
    risk: Literal["seeking", "moderate", "bounded", "averse"]
    expressiveness: Literal["low", "medium", "high"]
    commitment_threshold: Literal["low", "medium", "high"]


class RecoveryProfileModel(Shape):
    """The recovery path that the contract asks for."""

    preferred_path: Literal["baseline", "rapid", "gradual", "oscillating"]
    support_required: bool
    cooldown_required: bool


class HardLocksModel(Shape):
    """Limits that apply at stress OVER or when the Identity mode is very high; null otherwise."""

    option_set_max: int | None
    novelty_rate: float | None
    noise_filter_min: float | None
    exec_strictness_min: float | None
    goal_resistance_min: float | None
    pivot_threshold_min: float | None


class Reason(Shape):
    """Why an action is allowed or forbidden, and when it returns."""

    action: AnyAction
    allowed: bool
    rule: str
    step: str
    because: str
    returns_when: str | None
    calm_cycles: int | None


class ContractModel(Shape):
    """The ExecutionContract: what the agent may do now. `allowed_actions` are ordered, most in character first."""

    dominant_modes: list[ModeTitle]
    suppressed_modes: list[ModeTitle]
    allowed_actions: list[Action]
    forbidden_actions: list[AnyAction]
    stress_state: StressState
    system_state: SystemState
    energy_level: Unit
    stability_index: Unit
    should_pause: bool
    pause_reason: str | None
    should_escalate: bool
    escalation_reason: str | None
    max_steps_remaining: Annotated[int | None, Field(description="Cycles until energy runs out; null if it does not fall.")]
    trust: Unit
    delegation_allowed: bool
    max_delegation_complexity: Complexity | None
    collaboration_style: Literal["autonomous", "paired", "supervised"]
    verification_required: bool
    preferred_actions: list[Action]
    discouraged_actions: list[Action]
    action_alignment: dict[Action, float]
    decision_style: DecisionStyleModel
    recovery_profile: RecoveryProfileModel
    hard_locks: HardLocksModel
    narrative_prompt: str


class ContractExplained(ContractModel):
    """A contract, with an explanation when the request asked for one."""

    explanation: list[Reason] = []


class GoalModel(Shape):
    """An assessed goal."""

    decision: Literal["accept", "defer", "reject"]
    reason: str
    energy_cost: float
    energy_budget: Unit


class DriftModel(Shape):
    """The agent's deviation from its anchor; level is null during warm-up."""

    level: Literal["D0", "D1", "D2", "D3"] | None
    magnitude: Annotated[float, Field(ge=0)]
    deviation: ByMode
    rolled_back: bool


class ProcessedModel(Shape):
    """The result of one observation."""

    snapshot: SnapshotModel
    contract: ContractModel
    drift: DriftModel


class BatchFinal(ProcessedModel):
    """The final result of a batch."""

    processed_count: int


class BatchStates(Shape):
    """The result after each observation of a batch."""

    states: list[ProcessedModel]
    processed_count: int


class ResetModel(Shape):
    """The state after a reset."""

    id: str
    reset_to: Literal["initial", "last_stable", "default", "rebaseline"]
    cycle: int
    energy_level: Unit
    stress_state: StressState


class AuditObservation(Shape):
    """An observation as it was received, and the cycle that processed it."""

    cycle: int
    mode_target: ModeConstant
    signal_strength: Unit
    confidence: Unit
    severity: Annotated[
        Literal["normal", "incident"] | None, Field(description="Absent where engine 1.0.0 wrote the record.")
    ] = None
    context: dict[str, Any]
    timestamp: Time


class HistoryRow(AuditObservation):
    """A processed observation and its number in the history."""

    severity: Literal["normal", "incident"]
    seq: int


class DriftRow(Shape):
    """A drift event."""

    cycle: int
    drift_level: Literal["D1", "D2", "D3"]
    magnitude: float
    deviation: ByMode
    affected_modes: list[ModeConstant]
    rolled_back: bool
    timestamp: Time


class AuditRow(Shape):
    """The audit record of one request. digest = SHA-256 over the lines previous, metadata, observations, snapshot or state."""

    record: Annotated[int, Field(ge=1)]
    kind: Literal["created", "observations", "initial", "last_stable", "default", "rebaseline", "retest"]
    at: Time
    engine_version: str
    previous: Annotated[str, Field(description="Digest of the previous record; empty for the first record.")]
    digest: str
    format: Annotated[Literal[2] | None, Field(description="2: the digest covers actor and note. Older records have none.")] = (
        None
    )
    actor: Annotated[str | None, Field(description='Who caused it: id of a key or of a user, or "command-line".')] = None
    note: Annotated[str | None, Field(description="Why, in a person's words, where a person gave a reason.")] = None
    observations: list[AuditObservation]
    snapshot: Annotated[SnapshotModel | None, Field(description="The snapshot after the observations.")] = None
    state: Annotated[dict[str, Any] | None, Field(description="The engine's state, for records without observations.")] = None


class MismatchModel(Shape):
    """The first wrong record."""

    record: int
    reason: Literal["out_of_place", "chain", "digest", "malformed", "replay", "engine_version", "head", "anchor"]
    message: str


class VerificationModel(Shape):
    """Whether every record is unchanged and the engine computes the same results.

    verified is null when there are more observations than one request can replay: export the trail and verify the file.
    """

    verified: bool | None
    records: int
    replayed: int
    first_mismatch: MismatchModel | None


class Option(Shape):
    """An answer option."""

    id: str
    text: str


class QuestionModel(Shape):
    """A question and its options."""

    id: str
    text: str
    options: list[Option]


class QuestionsModel(Shape):
    """The questions of one version of the test."""

    version: Literal["v1", "v2", "v3"]
    question_count: int
    questions: list[QuestionModel]


class MatchedPersona(Shape):
    """A persona that matches the test result."""

    id: str
    name: str
    match_score: Unit


class TestDoneModel(Shape):
    """The result of a submitted test."""

    __test__ = False

    instance_id: str
    test_completed: Literal[True]
    mode_profile: ByMode
    matched_personas: list[MatchedPersona]
    snapshot: SnapshotModel
    contract: ContractModel


class PersonaModel(Shape):
    """A persona."""

    id: str
    name: str
    archetype: str
    description: str
    dominant_modes: list[ModeTitle]
    mode_profile: ByMode
    core_values: list[str]
    decision_style: str


class PersonaFull(PersonaModel):
    """A persona in full."""

    long_description: str
    preferred_actions: list[Action]
    stress_recovery: str


class HealthModel(Shape):
    """The service is up."""

    status: Literal["ok"]


#: The names by which `openapi.operation` refers to the responses.
RESPONSES: dict[str, Any] = {
    "ErrorResponse": ErrorResponse,
    "Instance": Data[InstanceModel],
    "InstanceDetail": Data[InstanceStanding],
    "InstanceRows": Rows[InstanceRow],
    "Deleted": Data[DeletedModel],
    "Processed": Data[ProcessedModel],
    "BatchProcessed": Data[BatchFinal | BatchStates],
    "SnapshotDetail": Data[SnapshotStanding],
    "Simulated": Data[ProcessedModel | BatchFinal | BatchStates],
    "GoalAssessed": Data[GoalModel],
    "Contract": Data[ContractExplained],
    "ResetDone": Data[ResetModel],
    "HistoryRows": Rows[HistoryRow],
    "DriftRows": Rows[DriftRow],
    "AuditRows": Rows[AuditRow],
    "AuditVerified": Data[VerificationModel],
    "Questions": Data[QuestionsModel],
    "TestDone": Data[TestDoneModel],
    "PersonaRows": Rows[PersonaModel],
    "PersonaDetail": Data[PersonaFull],
    "Health": Data[HealthModel],
}
