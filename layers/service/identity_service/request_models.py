"""Pydantic models of requests: types and ranges are checked here and nowhere else.

Strict mode: "0.8" is not a number and 1 is not a boolean. Unknown fields are rejected, so that a typo is not ignored silently.
"""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
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
    Observation,
    Profile,
    State,
    birth,
    canonical,
)
from identity_service.clock import parse_iso

CONTEXT_LIMIT = 8_192

T = TypeVar("T")


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


def _one_of(values: tuple[str, ...]) -> Any:
    """The type of a string that is one of `values`. Mypy cannot follow types made by a call, hence an ignore at each use."""

    def check(value: str) -> str:
        if value not in values:
            raise _invalid("unknown_value", f"use one of {', '.join(values)}")
        return value

    return Annotated[str, AfterValidator(check), WithJsonSchema({"type": "string", "enum": list(values)})]


#: JSON Schema patterns have no case-insensitive flag.
_ANY_CASE = "|".join("".join(f"[{c}{c.lower()}]" if c.isalpha() else c for c in name) for name in MODE_CONSTANTS)
_MODE_SCHEMA = {
    "type": "string",
    "pattern": f"^({_ANY_CASE})$",
    "description": f"A mode, in any case: {', '.join(MODE_CONSTANTS)}.",
    "examples": ["EXPLORATION"],
}

ModeName = Annotated[str, AfterValidator(_mode), WithJsonSchema(_MODE_SCHEMA)]
Unit = Annotated[float, Field(ge=0, le=1)]
Strength = Annotated[float, Field(ge=-1, le=1)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Text = Annotated[str, StringConstraints(max_length=1000)]


class Request(BaseModel):
    """Base class of all request bodies."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class ObservationRequest(Request):
    """A report of what the agent just did."""

    mode_target: ModeName
    signal_strength: Unit
    confidence: Unit = 1.0
    severity: Annotated[
        _one_of(SEVERITIES),  # type: ignore[valid-type]
        Field(description="incident: confirmed by a detector or a person. STRESS_RESPONSE alone; stress is HIGH at once."),
    ] = "normal"
    context: Annotated[
        dict[str, Any], AfterValidator(_context), Field(description="Stored with the observation, not evaluated. At most 8 KB.")
    ] = Field(default_factory=dict)
    timestamp: Annotated[str, AfterValidator(_timestamp), WithJsonSchema({"type": "string", "format": "date-time"})] = Field(
        default="", description="When it happened. Default: the time of the request."
    )

    @field_validator("severity")
    @classmethod
    def _incidents_are_stress(cls, severity: str, info: ValidationInfo) -> str:
        if severity == "incident" and info.data.get("mode_target", "STRESS_RESPONSE") != "STRESS_RESPONSE":
            raise _invalid("unknown_value", "an incident is of STRESS_RESPONSE, no other mode can be one")
        return severity

    def observation(self) -> Observation:
        """The engine's part of the observation."""
        mode = MODE_CONSTANTS.index(self.mode_target)
        return Observation(mode, self.signal_strength, self.confidence, self.severity == "incident")

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

    observations: Annotated[list[ObservationRequest], Field(min_length=1, max_length=100)]
    include_intermediate: bool = False


class ProfileRequest(Request):
    """The agent's profile, fixed at creation. Every field is optional."""

    core_modes: list[ModeName] = []
    suppressed_modes: list[ModeName] = []
    risk_posture: _one_of(RISK_POSTURES) = "moderate"  # type: ignore[valid-type]
    energy_policy: _one_of(ENERGY_POLICIES) = "balanced"  # type: ignore[valid-type]
    stress_tolerance: _one_of(STRESS_TOLERANCES) = "normal"  # type: ignore[valid-type]
    drift_tolerance: _one_of(DRIFT_TOLERANCES) = "normal"  # type: ignore[valid-type]
    governance: _one_of(GOVERNANCE) = "relaxed"  # type: ignore[valid-type]
    description: Text = ""


class InitialConfig(Request):
    """The initial state of a new agent. A persona supplies strengths and profile; fields given besides it override them."""

    mode_strengths: dict[ModeName, Strength] = {}
    energy_level: Unit = CONFIG.energy_start
    profile: ProfileRequest = Field(default_factory=ProfileRequest)
    persona_id: Annotated[str, Field(examples=["persona_guardian"])] = ""

    def state(self) -> State:
        """The engine's state at birth. Contradiction when two fields exclude each other or the persona is unknown."""
        persona = None
        if "persona_id" in self.model_fields_set:
            persona = PERSONA_BY_ID.get(self.persona_id)
            if persona is None:
                raise Contradiction("initial_config.persona_id", "unknown_value", "no such persona")
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
        return birth(profile, tuple(strengths), self.energy_level)


class Contradiction(ValueError):
    """A value that no single-field check can reject: an unknown persona, or two fields that exclude each other."""

    def __init__(self, field: str, reason: str, message: str) -> None:
        super().__init__(message)
        self.field, self.reason, self.message = field, reason, message


class InstanceRequest(Request):
    """The name and initial state of a new instance."""

    name: Name
    description: Text = ""
    initial_config: InitialConfig = Field(default_factory=InitialConfig)


class InstanceUpdateRequest(Request):
    """A new name, description or both. The engine's state cannot be edited."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    name: Name = ""
    description: Text = ""


class ResetRequest(Request):
    """The state to reset to, and why. `lastSnapshot` is an alias of last_stable."""

    mode: _one_of((*RESETS, "lastSnapshot"))  # type: ignore[valid-type]
    note: Annotated[str, Field(max_length=500, description="Why, in a person's words. It is kept in the audit trail.")] = ""


class GoalRequest(Request):
    """A goal to assess: its complexity, and the modes that it requires."""

    complexity: _one_of(COMPLEXITIES)  # type: ignore[valid-type]
    required_modes: list[ModeName] = []


class ResponseRequest(Request):
    """One answered question."""

    question_id: str
    selected_option_id: str


class TestRequest(Request):
    """A personality test, for either an existing instance or a new one."""

    __test__ = False

    instance_id: str = ""
    create_instance: bool = False
    instance_name: Name = ""
    version: _one_of(tuple(VERSIONS))  # type: ignore[valid-type]
    responses: Annotated[list[ResponseRequest], Field(max_length=100)]


class Page(BaseModel):
    """Query parameters of a page."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    offset: Annotated[int, Field(ge=0, le=10**12)] = 0


class InstancePage(Page):
    """Query parameters of the instance list."""

    sort: Literal["created_at", "name"] = "created_at"
    order: Literal["asc", "desc"] = "desc"
    name: Annotated[str, Field(max_length=100, description="Exactly this name; `sort` is by name then.")] = ""


class HistoryPage(Page):
    """Query parameters of the history, newest first."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class DriftPage(HistoryPage):
    """Query parameters of the drift events, newest first, of one level or of all."""

    level: Literal["D0", "D1", "D2", "D3"] | None = None


class ContractQuery(BaseModel):
    """Query parameters of the contract: `explain` adds the reasons."""

    model_config = ConfigDict(extra="forbid")

    explain: bool = False


class QuestionsQuery(BaseModel):
    """Query parameters of the test questions."""

    model_config = ConfigDict(extra="forbid")

    version: Literal["v1", "v2", "v3"] = "v1"
