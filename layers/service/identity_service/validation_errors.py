"""What a failed validation means: the API's problems (field, reason, message), or nulls that count as absent."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
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


def validation_problems(validation_errors: Iterable[Mapping[str, Any]]) -> list[Problem]:
    """One problem for each validation error, in pydantic's order."""
    return [_problem(error) for error in validation_errors]


def drop_nulls(document: Any, validation_errors: Iterable[Mapping[str, Any]]) -> bool:
    """Remove each known field that was refused for being null. Whether there was one. Items of lists stay."""
    dropped = False
    for error in validation_errors:
        if error["input"] is not None or error["type"] == "extra_forbidden" or not error["loc"]:
            continue
        *parents, name = error["loc"]
        owner = document
        # The location in a union names a branch, which is no place in the document.
        with suppress(LookupError, TypeError):
            for part in parents:
                owner = owner[part]
            if isinstance(owner, dict):
                del owner[name]
                dropped = True
    return dropped


def _problem(error: Mapping[str, Any]) -> Problem:
    kind = error["type"]
    field = _path(error["loc"])
    reason = _REASONS.get(kind) or error.get("ctx", {}).get("reason")
    if reason is None:
        reason = "out_of_range" if any(word in kind for word in _OUT_OF_RANGE) else "wrong_type"
    if reason == "missing":
        return Problem(field, reason, f"{field} is required")
    if reason == "unknown_field":
        return Problem(field, reason, f"{field} is not a field of this request")
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return Problem(field, reason, f"{field}: must be a JSON object")
    if kind == "too_short":
        return Problem(field, reason, f"{field}: must not be empty")
    message = error["msg"]
    return Problem(field, reason, f"{field}: {message[:1].lower()}{message[1:]}")


def _path(location: Iterable[str | int]) -> str:
    """The field's path, such as observations[3].signal_strength; "body" for the whole body."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part not in ("query", "path", "[key]"):
            path += f".{part}" if path else part
    return path or "body"
