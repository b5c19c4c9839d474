"""Pydantic models of query parameters. Bodies are in `request_models`."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from identity_engine import DRIFT_LEVELS
from identity_service.openapi import without_null


class Query(BaseModel):
    """Base class of all query parameters: unknown ones are rejected."""

    model_config = ConfigDict(extra="forbid")


class Page(Query):
    """Query parameters of a page."""

    limit: int = Field(default=20, ge=1, le=100, description="Most rows to return.")
    offset: int = Field(default=0, ge=0, le=10**12, description="Rows to skip.")


class InstancePage(Page):
    """Query parameters of the instance list."""

    sort: Literal["created_at", "name"] = Field(default="created_at", description="What to sort by.")
    order: Literal["asc", "desc"] = Field(default="desc", description="Ascending or descending.")
    name: str = Field(default="", max_length=100, description="Only instances of exactly this name; `sort` is by name then.")


class HistoryPage(Page):
    """Query parameters of a list of observations or audit records."""

    limit: int = Field(default=100, ge=1, le=1000, description="Most rows to return.")


class TimelinePage(Query):
    """Query parameters of the timeline, newest first."""

    limit: int = Field(default=100, ge=1, le=1000, description="Most rows to return.")
    before: int | None = Field(
        default=None,
        ge=1,
        le=10**12,
        description="Only cycles with a lower `seq`. Without it the newest.",
        json_schema_extra=without_null,
    )


class DriftPage(HistoryPage):
    """Query parameters of the drift events, newest first, of one level or of all."""

    level: Literal[DRIFT_LEVELS] | None = Field(  # type: ignore[valid-type]
        default=None,
        description="Only events of this level. D0 is no event, so its list is empty.",
        json_schema_extra=without_null,
    )


class ContractQuery(Query):
    """Query parameters of the contract."""

    explain: bool = Field(default=False, description="Whether to add a reason for each of the fourteen actions.")
    cycle: int | None = Field(
        default=None,
        ge=0,
        le=10**12,
        description="The contract as it was handed out at this cycle (of the engine's own count), with the record that "
        "proves it. Left out: the contract now.",
        json_schema_extra=without_null,
    )


class QuestionsQuery(Query):
    """Query parameters of the test questions."""

    version: Literal["v1", "v2", "v3"] = Field(default="v1", description="v1 has 12 questions, v2 24, v3 40.")
