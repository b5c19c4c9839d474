"""Typed models of the API's responses. Fields that a later API version adds are kept and do not break this client."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import Enum
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from identity_os_sdk.errors import ActionNotAllowedError, EscalatedError, PausedError, UnknownActionError

T = TypeVar("T")


class Mode(str, Enum):  # noqa: UP042 - StrEnum needs Python 3.11
    """What an agent is doing."""

    PERCEPTION = "PERCEPTION"
    EXPLORATION = "EXPLORATION"
    ORDER = "ORDER"
    ASSERTION = "ASSERTION"
    CONNECTION = "CONNECTION"
    IDENTITY = "IDENTITY"
    STRESS_RESPONSE = "STRESS_RESPONSE"


class Action(str, Enum):  # noqa: UP042 - StrEnum needs Python 3.11
    """What a contract allows or not."""

    EXPLORE = "explore"
    QUESTION = "question"
    ELABORATE = "elaborate"
    SUGGEST = "suggest"
    EXECUTE = "execute"
    PIVOT = "pivot"
    CHALLENGE = "challenge"
    COMFORT = "comfort"
    CLARIFY = "clarify"
    STABILIZE = "stabilize"
    DEFER = "defer"
    WITHDRAW = "withdraw"


ActionName = Literal[
    "explore",
    "question",
    "elaborate",
    "suggest",
    "execute",
    "pivot",
    "challenge",
    "comfort",
    "clarify",
    "stabilize",
    "defer",
    "withdraw",
]
Severity = Literal["normal", "incident"]
ResetMode = Literal["initial", "last_stable", "default", "rebaseline"]

#: Allowed in every state: no rule ever removes them.
SAFE_ACTIONS = frozenset({Action.STABILIZE, Action.CLARIFY, Action.DEFER, Action.WITHDRAW})
#: Removed as soon as something is wrong.
RISKY_ACTIONS = frozenset({Action.EXECUTE, Action.CHALLENGE, Action.EXPLORE, Action.PIVOT})


class Model(BaseModel):
    """Base class: an immutable value."""

    model_config = ConfigDict(extra="allow", frozen=True)


class Pagination(Model):
    """The position of the rows in the whole list."""

    limit: int
    offset: int
    total: int
    has_more: bool


class Page(Model, Generic[T]):
    """A page of a list."""

    data: list[T]
    pagination: Pagination


class Observation(Model):
    """What an agent just did: its mode, signal strength (0..1), confidence (0..1) and a context of at most 8 KB.

    `severity` is "incident" for what a detector or a person has confirmed; for STRESS_RESPONSE alone.
    """

    mode_target: str
    signal_strength: float
    confidence: float | None = None
    severity: Severity | None = None
    context: dict[str, Any] | None = None
    timestamp: str | datetime | None = None

    def body(self) -> dict[str, Any]:
        """The observation as a request body."""
        body = self.model_dump(exclude_none=True)
        return body | {"timestamp": self.timestamp.isoformat()} if isinstance(self.timestamp, datetime) else body


class Instance(Model):
    """An agent's instance."""

    id: str
    name: str
    description: str
    created_at: str
    updated_at: str


class Origin(Model):
    """What a fork continues from: an instance's cycle, and the audit record of it. `seq`: observations that it took over."""

    instance_id: str
    cycle: int
    seq: int
    record: int
    digest: str


class InstanceDetail(Instance):
    """An instance with its current state. `engine_version` is what decides for it; None from servers before 1.1.0."""

    cycle_count: int
    engine_version: str | None = None
    energy_level: float
    stress_state: str
    stability_index: float
    forked_from: Origin | None = None


class InstanceSummary(Model):
    """An instance in a list."""

    id: str
    name: str
    description: str
    created_at: str
    cycle_count: int
    energy_level: float


class Deleted(Model):
    """A deleted instance."""

    id: str
    deleted: bool


class Webhook(Model):
    """A receiver of events. `types`: what it gets; empty: all."""

    id: str
    url: str
    types: list[str]
    description: str
    enabled: bool
    disabled_reason: str | None
    failing_since: datetime | None
    created_at: datetime


class WebhookWithSecret(Webhook):
    """A webhook with its secret, which is shown once."""

    secret: str


class Delivery(Model):
    """A delivery of an event. `status`: pending, delivered, failed (given up), dropped (the webhook was off)."""

    id: str
    type: str
    created_at: datetime
    status: str
    attempts: int
    response_status: int | None
    milliseconds: int
    response: str
    tried_at: datetime


class Queued(Model):
    """A delivery that is under way."""

    id: str
    status: str


class PersonaScore(Model):
    """A persona and its similarity score (0..1)."""

    id: str
    score: float


class PersonaMatches(Model):
    """The two best matching personas."""

    primary: PersonaScore | None
    secondary: PersonaScore | None


class Snapshot(Model):
    """An agent's current state. The same history gives the same id."""

    id: str
    instance_id: str
    cycle: int
    mode_strengths: dict[str, float]
    energy_level: float
    stress_state: str
    system_state: str
    stability_index: float
    persona: PersonaMatches
    composites: list[str]


class SnapshotDetail(Snapshot):
    """A snapshot with its instance's times and the agent's memory. `engine_version`: as in `InstanceDetail`."""

    cycle_count: int
    engine_version: str | None = None
    created_at: str
    updated_at: str
    memory: dict[str, Any]


class DecisionStyle(Model):
    """The decision style that the contract asks for."""

    tempo: str
    risk: str
    expressiveness: str
    commitment_threshold: str


class RecoveryProfile(Model):
    """The recovery path that the contract asks for."""

    preferred_path: str
    support_required: bool
    cooldown_required: bool


class HardLocks(Model):
    """Limits that apply now; None for those that do not."""

    option_set_max: int | None
    novelty_rate: float | None
    noise_filter_min: float | None
    exec_strictness_min: float | None
    goal_resistance_min: float | None
    pivot_threshold_min: float | None


class Reason(Model):
    """Why an action is allowed or forbidden, and when it returns."""

    action: str
    allowed: bool
    rule: str
    step: str
    because: str
    returns_when: str | None
    calm_cycles: int | None


class Proof(Model):
    """The audit record that an earlier contract follows from."""

    record: int
    at: str
    engine_version: str
    digest: str


class Contract(Model):
    """What an agent may do now. `allowed_actions` are ordered, most in character first."""

    dominant_modes: list[str]
    suppressed_modes: list[str]
    allowed_actions: list[str]
    forbidden_actions: list[str]
    stress_state: Literal["LOW", "MED", "HIGH", "OVER"]
    system_state: str
    energy_level: float
    stability_index: float
    should_pause: bool
    pause_reason: str | None
    should_escalate: bool
    escalation_reason: str | None
    max_steps_remaining: int | None
    trust: float
    delegation_allowed: bool
    max_delegation_complexity: str | None
    collaboration_style: str
    verification_required: bool
    preferred_actions: list[str]
    discouraged_actions: list[str]
    action_alignment: dict[str, float]
    decision_style: DecisionStyle
    recovery_profile: RecoveryProfile
    hard_locks: HardLocks
    narrative_prompt: str
    explanation: list[Reason] = []
    #: Of an earlier contract: its cycle, and the audit record that it follows from.
    cycle: int | None = None
    proof: Proof | None = None

    def allows(self, action: Action | ActionName) -> bool:
        """Whether the action is among the allowed. UnknownActionError, a ValueError, when it is no action."""
        return _action_name(action) in self.allowed_actions

    def check(self, action: Action | ActionName) -> None:
        """Return if the action may be taken now.

        EscalatedError or PausedError while the contract asks for a human or a pause, unless the action is a safe one;
        ActionNotAllowedError when it is not among the allowed; UnknownActionError, a ValueError, when it is no action.
        """
        name = _action_name(action)
        allowed = name in self.allowed_actions
        if allowed and name in SAFE_ACTIONS:
            return
        if self.should_escalate:
            raise EscalatedError(name, self.allowed_actions, self.stress_state, self.escalation_reason)
        if self.should_pause:
            raise PausedError(name, self.allowed_actions, self.stress_state, self.pause_reason)
        if not allowed:
            raise ActionNotAllowedError(name, self.allowed_actions, self.stress_state)

    @contextmanager
    def guard(self, action: Action | ActionName) -> Iterator["Contract"]:
        """Run the block only if `check` lets the action pass; otherwise raise its error without entering the block."""
        self.check(action)
        yield self


def _action_name(action: Action | str) -> str:
    try:
        return Action(action).value
    except ValueError:
        known = ", ".join(known.value for known in Action)
        raise UnknownActionError(f"unknown action {action!r}: one of {known}") from None


class Drift(Model):
    """The agent's deviation from its anchor; `level` is None during warm-up."""

    level: str | None
    magnitude: float
    deviation: dict[str, float]
    rolled_back: bool


class Processed(Model):
    """The result of one observation."""

    snapshot: Snapshot
    contract: Contract
    drift: Drift


class BatchProcessed(Model):
    """The result of a batch: the final state, and all intermediate states if requested."""

    processed_count: int
    states: list[Processed]

    @property
    def final(self) -> Processed:
        """The result of the last observation."""
        return self.states[-1]

    @classmethod
    def of(cls, data: dict[str, Any]) -> "BatchProcessed":
        """From either form of the API's response."""
        states = data.get("states") or [{name: data[name] for name in ("snapshot", "contract", "drift")}]
        return cls.model_validate({"processed_count": data["processed_count"], "states": states})


class GoalAssessment(Model):
    """Whether the agent should take on a goal now."""

    decision: Literal["accept", "defer", "reject"]
    reason: str
    energy_cost: float
    energy_budget: float


class Reset(Model):
    """The state after a reset."""

    id: str
    reset_to: str
    cycle: int
    energy_level: float
    stress_state: str


class HistoryRow(Model):
    """A processed observation; `seq` is its number, from 1."""

    seq: int
    cycle: int
    mode_target: str
    signal_strength: float
    confidence: float
    severity: Severity = "normal"
    context: dict[str, Any]
    timestamp: str


class TimelineRow(Model):
    """What a cycle led to, in figures of four decimals. `seq` is its number; what engine 1.0.0 did not keep is None.

    `flags`: incident, denied, paused, escalated, rolled_back, and the resets and retests that came after it.
    """

    seq: int
    cycle: int
    timestamp: str
    stress_strength: float | None
    stress_state: str | None
    energy_level: float | None
    drift_distance: float | None
    drift_level: str | None
    allowed_count: int | None
    flags: list[str]


class DriftEvent(Model):
    """A drift event, D1 or above."""

    cycle: int
    drift_level: str
    magnitude: float
    deviation: dict[str, float]
    affected_modes: list[str]
    rolled_back: bool
    timestamp: str


class FirstDifference(Model):
    """The first cycle at which two engines part: what was decided, and what the other would have decided."""

    cycle: int
    record: int
    at: str
    then: dict[str, Any]
    would: dict[str, Any]


class Upgrade(Model):
    """What another engine would have decided otherwise (`preview`), or the upgrade that was made.

    A preview has `cycles`, `differing_cycles`, `flips` (differing cycles by fact), `first_difference`, and the contract now and
    after the upgrade; an upgrade has `snapshot` and `contract`. `how`: migrated, or replayed from the agent's birth.
    """

    from_version: str
    engine_version: str
    preview: bool
    how: str
    contract: Contract
    cycles: int = 0
    differing_cycles: int = 0
    flips: dict[str, int] = {}
    first_difference: FirstDifference | None = None
    upgraded_contract: Contract | None = None
    snapshot: Snapshot | None = None


class AuditRecord(Model):
    """The audit record of one request, chained to the previous record by its digest."""

    record: int
    kind: str
    at: str
    engine_version: str
    previous: str
    digest: str
    format: int | None = None
    actor: str | None = None
    note: str | None = None
    upgrade: dict[str, Any] | None = None
    forked_from: Origin | None = None
    observations: list[dict[str, Any]]
    snapshot: Snapshot | None = None
    state: dict[str, Any] | None = None


class Mismatch(Model):
    """The first wrong record."""

    record: int
    reason: str
    message: str


class Verification(Model):
    """Whether the audit trail is intact. `verified` is None when it is too long for one request."""

    verified: bool | None
    records: int
    replayed: int
    first_mismatch: Mismatch | None


class Option(Model):
    """An answer option."""

    id: str
    text: str


class Question(Model):
    """A question of the test."""

    id: str
    text: str
    options: list[Option]


class Questions(Model):
    """The questions of one version of the test."""

    version: str
    question_count: int
    questions: list[Question]


class MatchedPersona(Model):
    """A persona that matches the test result."""

    id: str
    name: str
    match_score: float


class TestResult(Model):
    """The result of a submitted test."""

    __test__ = False

    instance_id: str
    test_completed: bool
    mode_profile: dict[str, float]
    matched_personas: list[MatchedPersona]
    snapshot: Snapshot
    contract: Contract


class Persona(Model):
    """A persona."""

    id: str
    name: str
    archetype: str
    description: str
    dominant_modes: list[str]
    mode_profile: dict[str, float]
    core_values: list[str]
    decision_style: str


class PersonaDetail(Persona):
    """A persona in full."""

    long_description: str
    preferred_actions: list[str]
    stress_recovery: str
