"""Upgrades: what another engine would have decided otherwise, and what the record of an upgrade says."""

from typing import Annotated, Any, Literal

from pydantic import Field

from identity_service.response_models.contract import ContractModel
from identity_service.response_models.snapshot import SnapshotModel
from identity_service.response_models.words import (
    Action,
    Cycle,
    EngineVersion,
    InstanceId,
    Shape,
    StressState,
    Time,
    may_be_absent,
)

How = Annotated[
    Literal["migrated", "replayed"],
    Field(description="How the state is taken over: migrated field by field, or replayed from the agent's birth."),
]


class UpgradeEntry(Shape):
    """What an upgrade's record says of it."""

    from_version: str = Field(description="The engine that decided until then.")
    to_version: str = Field(description="The engine that decides from then on.")
    how: How
    before: dict[str, Any] = Field(description="The snapshot before.")
    after: dict[str, Any] = Field(description="The snapshot after.")


class Facts(Shape):
    """What was decided at a cycle, as far as the two engines part."""

    stress_state: StressState = may_be_absent("The stress state.")
    drift_level: Literal["D0", "D1", "D2", "D3"] | None = may_be_absent("The drift level; null in warm-up.")
    should_pause: bool = may_be_absent("Whether the agent should pause.")
    should_escalate: bool = may_be_absent("Whether a person should decide.")
    allowed_actions: list[Action] = may_be_absent("The allowed actions, by name.")


class FirstDifference(Shape):
    """The first cycle at which the two engines part."""

    cycle: Cycle
    record: int = Field(ge=1, description="The audit record of the cycle.")
    at: Time = Field(description="When, in UTC.")
    then: Facts = Field(description="What was decided.")
    would: Facts = Field(description="What the other engine would have decided.")


class Flips(Shape):
    """Cycles at which a fact differs, by fact."""

    stress_state: int = Field(ge=0, description="The stress state.")
    drift_level: int = Field(ge=0, description="The drift level.")
    should_pause: int = Field(ge=0, description="Whether the agent should pause.")
    should_escalate: int = Field(ge=0, description="Whether a person should decide.")
    allowed_actions: int = Field(ge=0, description="Which actions are allowed.")


class UpgradePreview(Shape):
    """What another engine would have decided otherwise since the agent's birth. Nothing was changed."""

    from_version: EngineVersion
    engine_version: str = Field(description="The engine that was compared.")
    preview: Literal[True] = Field(description="Nothing was changed.")
    how: How
    cycles: int = Field(ge=0, description="Cycles that were compared.")
    differing_cycles: int = Field(ge=0, description="Cycles at which at least one fact differs.")
    flips: Flips = Field(description="At how many cycles each fact differs.")
    first_difference: FirstDifference | None = Field(description="The first cycle at which the two part; null if none.")
    contract: ContractModel = Field(description="The contract now.")
    upgraded_contract: ContractModel = Field(description="The contract right after the upgrade.")


class UpgradeDone(Shape):
    """Another engine decides from now on."""

    id: InstanceId
    from_version: str = Field(description="The engine that decided until now.")
    engine_version: EngineVersion
    preview: Literal[False] = Field(description="The upgrade was made.")
    how: How
    snapshot: SnapshotModel = Field(description="Where the agent stands under the new engine.")
    contract: ContractModel = Field(description="What it may do now.")
