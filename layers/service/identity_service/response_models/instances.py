"""Instances in responses."""

from typing import Annotated, Literal

from pydantic import Field

from identity_service.response_models.words import (
    CreatedAt,
    Cycle,
    CycleCount,
    Energy,
    EngineVersion,
    InstanceId,
    Shape,
    Stability,
    StressState,
    UpdatedAt,
    may_be_absent,
)

Name = Annotated[str, Field(description="The name, as it was given.")]
Description = Annotated[str, Field(description="The description, as it was given.")]


class InstanceModel(Shape):
    """An instance."""

    id: InstanceId
    name: Name
    description: Description
    created_at: CreatedAt
    updated_at: UpdatedAt


class OriginModel(Shape):
    """What a fork continues from."""

    instance_id: InstanceId
    cycle: Cycle
    seq: int = Field(ge=0, description="Observations that it took over.")
    record: int = Field(ge=1, description="The record of the original that it continues from.")
    digest: str = Field(description="The digest of that record.")


class InstanceStanding(InstanceModel):
    """An instance with its current state."""

    cycle_count: CycleCount
    engine_version: EngineVersion
    energy_level: Energy
    stress_state: StressState
    stability_index: Stability
    forked_from: OriginModel = may_be_absent("What it continues from, if it is a fork.")


class InstanceRow(Shape):
    """An instance in a list."""

    id: InstanceId
    name: Name
    description: Description
    created_at: CreatedAt
    cycle_count: CycleCount
    energy_level: Energy


class DeletedModel(Shape):
    """A deleted instance."""

    id: InstanceId
    deleted: Literal[True] = Field(description="The instance is gone for every reader.")


class ResetModel(Shape):
    """The state after a reset."""

    id: InstanceId
    reset_to: Literal["initial", "last_stable", "default", "rebaseline"] = Field(
        description="The mode of the reset; `lastSnapshot` is shown as last_stable."
    )
    cycle: Cycle
    energy_level: Energy
    stress_state: StressState
