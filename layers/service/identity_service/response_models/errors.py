"""The body of every error. docs/api.md, "Envelope", says when each comes."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from identity_service.response_models.words import Shape, may_be_absent

Code = Literal[
    "invalid_request", "incomplete_test", "unauthorized", "insufficient_scope", "instance_limit_reached", "forbidden",
    "not_found", "method_not_allowed", "conflict", "payload_too_large", "unsupported_media_type", "rate_limit_exceeded",
    "quota_exceeded", "internal_error", "service_unavailable",
]  # fmt: skip
ProblemWord = Literal[
    "missing", "out_of_range", "unknown_value", "too_long", "wrong_type", "unknown_field", "malformed_json"
]  # fmt: skip


class FieldProblem(Shape):
    """One wrong field of several."""

    field: str = Field(description="The field, such as observations[3].signal_strength.")
    reason: ProblemWord = Field(description="What is wrong with it.")
    message: str = Field(description="The same in a sentence.")


class ErrorDetails(BaseModel):
    """What an error is about. Which fields there are depends on the error; a 401 has none."""

    model_config = ConfigDict(extra="allow")

    field: str = may_be_absent("The first wrong field, such as observations[3].signal_strength (400).")
    reason: ProblemWord = may_be_absent("What is wrong with it (400).")
    errors: list[FieldProblem] = may_be_absent("All wrong fields, if there are several (400).")


class ErrorResponse(Shape):
    """The body of every error."""

    error: Code = Field(description="The error's code.")
    message: str = Field(description="What went wrong, in a sentence.")
    details: ErrorDetails = Field(description="What the error is about, for programs.")
    retry_after: int = may_be_absent("Seconds to wait before trying again (429, 503).")
    missing_questions: list[str] = may_be_absent("The ids of the questions that are not answered (400 incomplete_test).")
