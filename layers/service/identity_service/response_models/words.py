"""What several responses share: words, figures, and the names of the words that have a schema of their own in the document.

What one response has alone stands there.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from identity_engine import (
    ACTIONS,
    ALWAYS_FORBIDDEN,
    COMPLEXITIES,
    DRIFT_LEVELS,
    DRIFT_TOLERANCES,
    ENERGY_POLICIES,
    GOVERNANCE,
    MODE_CONSTANTS,
    MODE_TITLES,
    RESETS,
    RISK_POSTURES,
    SEVERITIES,
    STRESS_STATES,
    STRESS_TOLERANCES,
    VERSIONS,
)
from identity_engine.composites import COMPOSITES
from identity_service.events import TEST, TYPES
from identity_service.openapi import without_default

Action = Literal[ACTIONS]  # type: ignore[valid-type]
AnyAction = Literal[(*ACTIONS, *ALWAYS_FORBIDDEN)]  # type: ignore[valid-type]
ModeConstant = Literal[MODE_CONSTANTS]  # type: ignore[valid-type]
ModeTitle = Literal[MODE_TITLES]  # type: ignore[valid-type]
SeverityWord = Literal[SEVERITIES]  # type: ignore[valid-type]
Complexity = Literal[COMPLEXITIES]  # type: ignore[valid-type]
StressWord = Literal[STRESS_STATES]  # type: ignore[valid-type]

_STRESS = "The stress state. HIGH takes the risky actions, OVER leaves the safe four."
_ENERGY = "Energy: 0 is exhausted, 1 is rested."
_STABILITY = "How settled the last cycles were: 1 at birth, less after stress, drift and changes of the leading mode."

StressState = Annotated[StressWord, Field(description=_STRESS)]
SystemState = Annotated[
    Literal["baseline", "stress", "growth"],
    Field(description="stress from HIGH until three cycles below it, growth after a long calm, else baseline."),
]
Energy = Annotated[float, Field(ge=0, le=1, description=_ENERGY)]
Stability = Annotated[float, Field(ge=0, le=1, description=_STABILITY)]
Unit = Annotated[float, Field(ge=0, le=1)]
ByMode = dict[ModeConstant, float]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
CreatedAt = Annotated[Time, Field(description="When it was created, in UTC.")]
UpdatedAt = Annotated[Time, Field(description="When it last changed, by a report, a reset, a test or an update, in UTC.")]
InstanceId = Annotated[str, Field(pattern="^inst_[0-9a-f]{16}$", description="The id of the instance.")]
PersonaId = Annotated[str, Field(description="The id of a persona, such as persona_guardian.")]
EngineVersion = Annotated[str, Field(description="The engine that decides for the instance. Only an upgrade changes it.")]
CycleCount = Annotated[int, Field(ge=0, description="Observations ever processed. A reset does not change it.")]
Cycle = Annotated[int, Field(ge=0, description="The engine's own count of cycles; the resets initial and default set it to 0.")]


class Shape(BaseModel):
    """Base class: a closed object, without additional fields."""

    model_config = ConfigDict(extra="forbid")


def may_be_absent(description: str) -> Any:
    """A field that some responses leave out. It is never null."""
    return Field(default=None, description=description, json_schema_extra=without_default)


#: Enums that have a schema of their own, so that a generated client has one type for each: its values and what they are.
WORDS: dict[str, tuple[tuple[str, ...], str]] = {
    "Mode": (
        MODE_CONSTANTS,
        "A mode. PERCEPTION reads and checks, EXPLORATION tries something new, ORDER plans and follows procedure, ASSERTION "
        "decides and disagrees, CONNECTION attends to a person, IDENTITY acts on principle, STRESS_RESPONSE meets failures.",
    ),
    "ModeTitle": (MODE_TITLES, "A mode as a contract shows it."),
    "Action": (
        ACTIONS,
        "An action. execute, challenge, explore and pivot are risky; stabilize, clarify, defer, withdraw safe.",
    ),
    "AnyAction": ((*ACTIONS, *ALWAYS_FORBIDDEN), "An action, or one of the two that no agent may ever take."),
    "StressState": (STRESS_STATES, _STRESS),
    "SystemState": (("baseline", "stress", "growth"), "The state that the agent works in."),
    "DriftLevel": (DRIFT_LEVELS, "A drift level: D0 noise, D1 another context, D2 the agent is changing, D3 not itself."),
    "Severity": (SEVERITIES, "How grave a report is. An incident is confirmed by a detector or a person."),
    "Complexity": (COMPLEXITIES, "How much a goal takes: 0.05, 0.15, 0.30 or 0.45 energy."),
    "RiskPosture": (RISK_POSTURES, "How much risk to take, boldest first."),
    "EnergyPolicy": (ENERGY_POLICIES, "How much energy work and failures cost."),
    "StressTolerance": (STRESS_TOLERANCES, "How much stress it takes to be at HIGH."),
    "DriftTolerance": (DRIFT_TOLERANCES, "How much drift is tolerated."),
    "Governance": (GOVERNANCE, "The base of what is allowed, before stress."),
    "ResetMode": ((*RESETS, "lastSnapshot"), "The state to reset to."),
    "Composite": (tuple(COMPOSITES.values()), "The name of a pair of active modes."),
    "EventType": (TYPES, "A type of event that a webhook can ask for."),
    "AnyEventType": ((*TYPES, TEST), "A type of event, or the test that a person sends."),
    "TestVersion": (tuple(VERSIONS), "A version of the personality test: 12, 24 or 40 questions."),
}
