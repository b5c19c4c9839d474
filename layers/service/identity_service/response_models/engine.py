"""The results of observations: processed ones, the history, drift events, audit records."""

from typing import Annotated, Any, Literal

from pydantic import Field

from identity_engine import DRIFT_LEVELS, RESETS
from identity_service.response_models.contract import ContractModel
from identity_service.response_models.instances import OriginModel
from identity_service.response_models.snapshot import SnapshotModel
from identity_service.response_models.upgrades import UpgradeEntry
from identity_service.response_models.words import (
    ByMode,
    Cycle,
    ModeConstant,
    SeverityWord,
    Shape,
    StressWord,
    Time,
    Unit,
    may_be_absent,
)

TimelineFlag = Literal[("incident", "denied", "paused", "escalated", "rolled_back", "retest", "upgrade", *RESETS)]  # type: ignore[valid-type]
_DEVIATION = "The signed distance of each mode from the anchor."
_MAGNITUDE = "The distance to the anchor: 0.08 is D1, 0.24 is D2, 0.40 is D3."
_ROLLED_BACK = "Whether the last stable modes were put back."


class DriftModel(Shape):
    """The agent's deviation from its anchor; level is null during warm-up."""

    level: Literal["D0", "D1", "D2", "D3"] | None = Field(
        description="D0 noise, D1 another context, D2 the agent is changing, D3 not itself; null in the first cycles."
    )
    magnitude: float = Field(ge=0, description=_MAGNITUDE)
    deviation: ByMode = Field(description=_DEVIATION)
    rolled_back: bool = Field(description=_ROLLED_BACK)


class ProcessedModel(Shape):
    """The result of one observation."""

    snapshot: SnapshotModel = Field(description="The agent after it.")
    contract: ContractModel = Field(description="What the agent may do now.")
    drift: DriftModel = Field(description="How far the agent is from what it usually does.")


class BatchFinal(ProcessedModel):
    """The final result of a batch."""

    processed_count: int = Field(ge=1, description="Observations processed.")


class BatchStates(Shape):
    """The result after each observation of a batch."""

    states: list[ProcessedModel] = Field(description="The result after each observation, in order.")
    processed_count: int = Field(ge=1, description="Observations processed.")


class AuditObservation(Shape):
    """An observation as it was received, and the cycle that processed it."""

    cycle: Cycle
    mode_target: ModeConstant = Field(description="The mode that was reported.")
    signal_strength: Unit = Field(description="How strongly it showed.")
    confidence: Unit = Field(description="How sure the report was.")
    severity: SeverityWord = may_be_absent("normal or incident. Absent where engine 1.0.0 wrote the record.")
    context: dict[str, Any] = Field(description="What was sent with the report.")
    timestamp: Time = Field(description="When it happened, in UTC.")


class HistoryRow(AuditObservation):
    """A processed observation and its number in the history."""

    severity: SeverityWord = Field(description="normal, or incident: confirmed by a detector or a person.")
    seq: int = Field(ge=1, description="The number of the observation, from 1, without gaps.")


class TimelineRow(Shape):
    """What a cycle led to, in figures of four decimals. What engine 1.0.0 did not keep is null."""

    seq: int = Field(ge=1, description="The number of the observation, from 1, without gaps.")
    cycle: Cycle
    timestamp: Time = Field(description="When the observation happened, in UTC.")
    stress_strength: Unit | None = Field(description="|stress_response|, which the stress state follows from.")
    stress_state: StressWord | None = Field(description="The stress state after the cycle.")
    energy_level: Unit | None = Field(description="Energy after the cycle.")
    drift_distance: Annotated[float, Field(ge=0)] | None = Field(description=f"{_MAGNITUDE} null in the first cycles.")
    drift_level: Literal[DRIFT_LEVELS] | None = Field(  # type: ignore[valid-type]
        description="The drift level; null in the first cycles."
    )
    allowed_count: Annotated[int, Field(ge=0, le=12)] | None = Field(description="How many of the twelve actions were allowed.")
    flags: list[TimelineFlag] = Field(
        description="What happened in the cycle; a reset or a retest stands at the cycle that it came after."
    )


class DriftRow(Shape):
    """A drift event."""

    cycle: Cycle
    drift_level: Literal["D1", "D2", "D3"] = Field(description="The level that was reached.")
    magnitude: float = Field(ge=0, description=_MAGNITUDE)
    deviation: ByMode = Field(description=_DEVIATION)
    affected_modes: list[ModeConstant] = Field(description="Modes that moved by 0.08 or more on their own.")
    rolled_back: bool = Field(description=_ROLLED_BACK)
    timestamp: Time = Field(description="When the observation happened, in UTC.")


class AuditRow(Shape):
    """The audit record of one request. digest = SHA-256 over the lines previous, metadata, observations, snapshot or state."""

    record: int = Field(ge=1, description="The number of the record, from 1, without gaps.")
    kind: Literal["created", "observations", "initial", "last_stable", "default", "rebaseline", "retest", "upgrade"] = Field(
        description="What was done: creation, reports, a reset of this mode, a test taken again, or another engine."
    )
    at: Time = Field(description="When, in UTC.")
    engine_version: str = Field(description="The version of the engine that wrote it.")
    previous: str = Field(description="The digest of the previous record; empty for the first one.")
    digest: str = Field(description="The digest of this record in hex.")
    format: Literal[2] = may_be_absent("2: the digest covers actor and note. Older records have none of the three.")
    actor: str = may_be_absent("Who caused it: the id of a key or of a user of the console, or command-line.")
    note: str = may_be_absent("Why, in a person's words, where a person gave a reason.")
    upgrade: UpgradeEntry = may_be_absent("What took over, where kind is upgrade.")
    forked_from: OriginModel = may_be_absent("In the first record of a fork: what it continues from.")
    observations: list[AuditObservation] = Field(description="The observations in order; empty unless kind is observations.")
    snapshot: SnapshotModel = may_be_absent("The snapshot after the observations.")
    state: dict[str, Any] = may_be_absent("The engine's state, where the record has no observations.")


class MismatchModel(Shape):
    """The first wrong record."""

    record: int = Field(description="Its number.")
    reason: Literal["out_of_place", "chain", "digest", "malformed", "replay", "engine_version", "head", "anchor"] = Field(
        description='What is wrong with it; docs/api.md, "Audit trail", explains each.'
    )
    message: str = Field(description="The same in a sentence.")


class VerificationModel(Shape):
    """Whether every record is unchanged and the engine computes the same results."""

    verified: bool | None = Field(
        description="null if there are more observations than one request can replay: export the trail and verify the file."
    )
    records: int = Field(ge=0, description="Records in the trail.")
    replayed: int = Field(ge=0, description="Records that the engine was played over.")
    first_mismatch: MismatchModel | None = Field(description="The first wrong record; null if there is none.")
