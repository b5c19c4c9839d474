"""Pydantic models of requests: types and ranges are checked here and nowhere else.

Strict mode: "0.8" is not a number and 1 is not a boolean. Unknown fields are rejected, so that a typo is not ignored silently.
"""

from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import PydanticCustomError

from identity_engine import (
    COMPLEXITIES,
    CONFIG,
    DRIFT_TOLERANCES,
    ENERGY_POLICIES,
    GOVERNANCE,
    MODE_CONSTANTS,
    MODE_INDEX,
    PERSONA_BY_ID,
    RESETS,
    RISK_POSTURES,
    SEVERITIES,
    STRESS_TOLERANCES,
    VERSIONS,
    Profile,
    canonical,
)
from identity_service.clock import parse_iso
from identity_service.engines import NEWEST, Born, birth, versions
from identity_service.events import TYPES
from identity_service.openapi import without_default
from identity_service.webhooks.addresses import URL_LIMIT

CONTEXT_LIMIT = 8_192
#: Longest note of a decision, in characters.
NOTE_LIMIT = 500


def _invalid(reason: str, message: str) -> PydanticCustomError:
    return PydanticCustomError("identity_os", "{text}", {"reason": reason, "text": message})


def _mode(name: str) -> str:
    constant = name.upper()
    if constant not in MODE_CONSTANTS or not name.isascii():
        raise _invalid("unknown_value", f"not a mode; use one of {', '.join(MODE_CONSTANTS)}")
    return constant


def _timestamp(text: str) -> str:
    try:
        return parse_iso(text)
    except (ValueError, OverflowError):
        raise _invalid("unknown_value", "not an ISO 8601 date and time") from None


def _context(context: dict[str, Any]) -> dict[str, Any]:
    try:
        size = len(canonical(context).encode())
    except ValueError:
        raise _invalid("out_of_range", "holds a number that JSON cannot represent") from None
    if size > CONTEXT_LIMIT:
        raise _invalid("too_long", f"has {size} bytes as compact JSON; at most {CONTEXT_LIMIT} are allowed")
    return context


def _whole(value: Any) -> Any:
    """JSON has one kind of number: 5.0 is the integer 5."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _one_of(values: tuple[str, ...]) -> Any:
    """The type of a string that is one of `values`. Mypy cannot follow types made by a call, hence an ignore at each use."""

    def check(value: str) -> str:
        if value not in values:
            raise _invalid("unknown_value", f"use one of {', '.join(values)}")
        return value

    return Annotated[str, AfterValidator(check), WithJsonSchema({"type": "string", "enum": list(values)})]


#: Modes are accepted in any case. The document has the one case that clients should send, as an enum.
ModeName = Annotated[str, AfterValidator(_mode), WithJsonSchema({"type": "string", "enum": list(MODE_CONSTANTS)})]
Unit = Annotated[float, Field(ge=0, le=1)]
Strength = Annotated[float, Field(ge=-1, le=1)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Text = Annotated[str, StringConstraints(max_length=1000)]
Timestamp = Annotated[str, AfterValidator(_timestamp), WithJsonSchema({"type": "string", "format": "date-time"})]
Context = Annotated[dict[str, Any], AfterValidator(_context)]


class Request(BaseModel):
    """Base class of all request bodies."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class ObservationRequest(Request):
    """A report of what the agent just did."""

    mode_target: ModeName = Field(description="The mode that the action belongs to, in any case.")
    signal_strength: Unit = Field(
        description="How strongly it showed, 0 to 1. docs/event-strength.md has values to start with."
    )
    confidence: Unit = Field(default=1.0, description="How sure the report is, 0 to 1. It weakens the report's effect.")
    severity: _one_of(SEVERITIES) = Field(  # type: ignore[valid-type]
        default="normal",
        description="incident: confirmed by a detector or a person. STRESS_RESPONSE alone; stress is HIGH at once.",
    )
    context: Context = Field(default_factory=dict, description="Stored with the observation, not evaluated. At most 8 KB.")
    timestamp: Timestamp = Field(
        default="",
        description="When it happened, in UTC unless it has an offset. Left out: the time of the request.",
        json_schema_extra=without_default,
    )

    @field_validator("severity")
    @classmethod
    def _incidents_are_stress(cls, severity: str, info: ValidationInfo) -> str:
        if severity == "incident" and info.data.get("mode_target", "STRESS_RESPONSE") != "STRESS_RESPONSE":
            raise _invalid("unknown_value", "an incident is of STRESS_RESPONSE, no other mode can be one")
        return severity

    def row(self, arrived: str) -> dict[str, Any]:
        """The observation as a history row."""
        return {
            "mode_target": self.mode_target,
            "signal_strength": self.signal_strength,
            "confidence": self.confidence,
            "severity": self.severity,
            "context": self.context,
            "timestamp": self.timestamp or arrived,
        }


class BatchRequest(Request):
    """Up to 100 observations, processed in order: all of them or none."""

    observations: list[ObservationRequest] = Field(min_length=1, max_length=100, description="The reports in order.")
    include_intermediate: bool = Field(default=False, description="Whether to return the result after each observation.")


class ProfileRequest(Request):
    """The agent's profile, fixed at creation. Every field is optional."""

    core_modes: list[ModeName] = Field(
        default_factory=list, description="Modes that are the agent's own. Their loss is corrected."
    )
    suppressed_modes: list[ModeName] = Field(
        default_factory=list, description="Modes that it should not act by. None may be a core mode."
    )
    risk_posture: _one_of(RISK_POSTURES) = Field(  # type: ignore[valid-type]
        default="moderate", description="How much risk it takes. averse allows no explore, pivot or challenge."
    )
    energy_policy: _one_of(ENERGY_POLICIES) = Field(  # type: ignore[valid-type]
        default="balanced", description="How much energy work and failures cost: half, as it is, half as much again."
    )
    stress_tolerance: _one_of(STRESS_TOLERANCES) = Field(  # type: ignore[valid-type]
        default="normal", description="Whether HIGH and OVER begin 0.05 earlier or later."
    )
    drift_tolerance: _one_of(DRIFT_TOLERANCES) = Field(  # type: ignore[valid-type]
        default="normal", description="Whether the distances of drift are 0.8 or 1.25 times the usual ones."
    )
    governance: _one_of(GOVERNANCE) = Field(  # type: ignore[valid-type]
        default="relaxed",
        description="What is allowed without stress. strict: what active modes contribute; relaxed: all but what only "
        "suppressed modes contribute; stress_only: everything.",
    )
    description: Text = Field(default="", description="A note for people. Nothing is computed on it.")


class InitialConfig(Request):
    """The initial state of a new agent. A persona supplies strengths and profile; fields given besides it override them."""

    mode_strengths: dict[ModeName, Strength] = Field(
        default_factory=dict, description="The strength of each mode, -1 to 1; STRESS_RESPONSE from 0. A mode left out has 0."
    )
    energy_level: Unit = Field(default=CONFIG.energy_start, description="Energy, 0 to 1.")
    profile: ProfileRequest = Field(default_factory=ProfileRequest, description="Who the agent is, fixed at creation.")
    persona_id: str = Field(
        default="",
        description="A persona that supplies strengths and profile; fields beside it take precedence. See GET /v1/personas.",
        json_schema_extra=without_default,
    )

    engine_version: str = Field(
        default="",
        description="The engine that decides for the agent, until it is upgraded. Left out: the newest.",
        json_schema_extra=without_default,
    )

    @field_validator("persona_id")
    @classmethod
    def _known_persona(cls, persona_id: str) -> str:
        if persona_id not in PERSONA_BY_ID:
            raise _invalid("unknown_value", "no such persona")
        return persona_id

    @field_validator("engine_version")
    @classmethod
    def _known_engine(cls, version: str) -> str:
        if version and version not in versions():
            raise _invalid("unknown_value", f"use one of {', '.join(versions())}")
        return version

    def born(self) -> Born:
        """The agent at birth. Contradiction when two fields exclude each other."""
        persona = PERSONA_BY_ID.get(self.persona_id)
        strengths = list(persona.mode_profile) if persona else [0.0] * 7
        for name, strength in self.mode_strengths.items():
            strengths[MODE_CONSTANTS.index(name)] = strength + 0.0
        if strengths[MODE_INDEX["stress_response"]] < 0:
            raise Contradiction(
                "initial_config.mode_strengths.STRESS_RESPONSE",
                "out_of_range",
                "stress is 0 or more: there is no negative stress",
            )
        overrides = {name: getattr(self.profile, name) for name in self.profile.model_fields_set}
        for name in ("core_modes", "suppressed_modes"):
            if name in overrides:
                overrides[name] = tuple(sorted({MODE_INDEX[mode.lower()] for mode in overrides[name]}))
        base = persona.profile if persona else Profile()
        profile = Profile(**{name: overrides.get(name, getattr(base, name)) for name in Profile.__slots__})
        if set(profile.core_modes) & set(profile.suppressed_modes):
            raise Contradiction(
                "initial_config.profile.suppressed_modes", "unknown_value", "a mode is core or suppressed, not both"
            )
        return birth(profile, strengths, self.energy_level, self.engine_version or NEWEST)


class Contradiction(ValueError):
    """A value that no check of one field can reject: two fields that exclude each other."""

    def __init__(self, field: str, reason: str, message: str) -> None:
        super().__init__(message)
        self.field, self.reason, self.message = field, reason, message


class InstanceRequest(Request):
    """The name and initial state of a new instance."""

    name: Name = Field(description="A name for people. It need not be unique.")
    description: Text = Field(default="", description="A note for people.")
    initial_config: InitialConfig = Field(default_factory=InitialConfig, description="How the agent is born. Default: neutral.")


class InstanceUpdateRequest(Request):
    """A new name, description or both. The engine's state cannot be edited."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    name: Name = Field(default="", description="The new name.", json_schema_extra=without_default)
    description: Text = Field(default="", description="The new description.", json_schema_extra=without_default)


class ResetRequest(Request):
    """The state to reset to, and why."""

    mode: _one_of((*RESETS, "lastSnapshot")) = Field(  # type: ignore[valid-type]
        description="initial: as at birth. default: neutral. last_stable: the last calm state (lastSnapshot is an alias). "
        "rebaseline: as the agent is now is the new normal."
    )
    note: str = Field(default="", max_length=NOTE_LIMIT, description="Why, in a person's words. The audit trail keeps it.")


class UpgradeRequest(Request):
    """Which engine should decide from now on, and whether only to show what would differ."""

    engine_version: str = Field(default=NEWEST, description="The engine that takes over. Left out: the newest.")
    preview: bool = Field(default=True, description="Whether only to compare: nothing is changed. false makes the upgrade.")
    force: bool = Field(default=False, description="Whether to upgrade a paused or escalated agent; needs a note.")
    note: str = Field(
        default="",
        max_length=NOTE_LIMIT,
        validate_default=True,
        description="Why, in a person's words. The audit trail keeps it.",
    )

    @field_validator("note")
    @classmethod
    def _forced_with_a_reason(cls, note: str, info: ValidationInfo) -> str:
        if info.data.get("force") and not note.strip():
            raise _invalid("missing", "say why with force: the audit trail keeps it")
        return note


class ForkRequest(Request):
    """A new instance with an agent's history up to a cycle."""

    at_cycle: Annotated[int, BeforeValidator(_whole)] = Field(
        ge=0, description="The last cycle that the fork has, of the engine's own count."
    )
    name: Name = Field(description="The name of the new instance.")


class GoalRequest(Request):
    """A goal to assess: its complexity, and the modes that it requires."""

    complexity: _one_of(COMPLEXITIES) = Field(description="How much the goal takes.")  # type: ignore[valid-type]
    required_modes: list[ModeName] = Field(default_factory=list, description="The modes that it needs.")


class EmptyRequest(Request):
    """No fields: an empty body, or `{}`."""


class WebhookRequest(Request):
    """Where events go, and which."""

    url: str = Field(min_length=1, max_length=URL_LIMIT, description="https on port 443, in the internet.")
    types: list[_one_of(TYPES)] = Field(  # type: ignore[valid-type]
        default_factory=list, max_length=50, description="The types of events to send; empty: all, those to come included."
    )
    description: Text = Field(default="", description="A note for people.")


class WebhookUpdateRequest(Request):
    """What to change. A field left out stays as it is."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    url: str = Field(
        default="", min_length=1, max_length=URL_LIMIT, description="The new URL.", json_schema_extra=without_default
    )
    types: list[_one_of(TYPES)] = Field(  # type: ignore[valid-type]
        default_factory=list, max_length=50, description="The new types; empty: all."
    )
    description: Text = Field(default="", description="The new description.", json_schema_extra=without_default)
    enabled: bool = Field(default=True, description="false switches it off, true on again.", json_schema_extra=without_default)


class ResponseRequest(Request):
    """One answered question."""

    question_id: str = Field(description="The id of the question, such as q1.")
    selected_option_id: str = Field(description="The id of the chosen option, such as q1_a.")


class TestRequest(Request):
    """A personality test, for either an existing instance or a new one."""

    __test__ = False

    instance_id: str = Field(
        default="",
        description="The instance to give the result to. Either this or create_instance.",
        json_schema_extra=without_default,
    )
    create_instance: bool = Field(default=False, description="Whether to create an instance with the result.")
    instance_name: Name = Field(
        default="", description="The name of the new instance; needed with create_instance.", json_schema_extra=without_default
    )
    version: _one_of(tuple(VERSIONS)) = Field(description="The version of the test.")  # type: ignore[valid-type]
    responses: list[ResponseRequest] = Field(max_length=100, description="One answer to each question of the version.")
