"""From pydantic's findings to the API's own words: field, reason, message."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from identity_service.errors import Problem

_REASONS: Final = {
    "missing": "missing",
    "extra_forbidden": "unknown_field",
    "string_too_long": "too_long",
    "too_long": "too_long",
    "literal_error": "unknown_value",
    "enum": "unknown_value",
}
_OUT_OF_RANGE: Final = ("greater_than", "less_than", "too_short", "finite_number")


def validation_problems(findings: Iterable[Mapping[str, Any]]) -> list[Problem]:
    """One problem for each finding, in pydantic's order."""
    return [_problem(finding) for finding in findings]


def _problem(finding: Mapping[str, Any]) -> Problem:
    kind = finding["type"]
    field = _path(finding["loc"])
    reason = _REASONS.get(kind) or finding.get("ctx", {}).get("reason")
    if reason is None:
        reason = "out_of_range" if any(word in kind for word in _OUT_OF_RANGE) else "wrong_type"
    if reason == "missing":
        return Problem(field, reason, f"{field} is required")
    if reason == "unknown_field":
        return Problem(field, reason, f"{field} is not a field of this request")
    message = finding["msg"]
    return Problem(field, reason, f"{field}: {message[:1].lower()}{message[1:]}")


def _path(location: Iterable[str | int]) -> str:
    """observations[3].signal_strength; "body" for the body as a whole."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part not in ("query", "path", "[key]"):
            path += f".{part}" if path else part
    return path or "body"
