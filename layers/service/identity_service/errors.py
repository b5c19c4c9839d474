"""The API's errors: one exception type, and one function for each row of the table in docs/api.md, "Envelope".

    ApiError
      400 invalid_request · incomplete_test         404 not_found              429 rate_limit_exceeded · quota_exceeded
      401 unauthorized                              405 method_not_allowed     500 internal_error
      403 insufficient_scope                        409 conflict               503 service_unavailable
      403 instance_limit_reached                    413, 415

Code above the store raises them; only `middleware` turns them into JSON.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)
class ApiError(Exception):
    """An error response. `extra` holds fields besides error, message and details (retry_after, missing_questions)."""

    status: int
    code: str
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """The one error shape."""
        return {"error": self.code, "message": self.message, "details": dict(self.details), **self.extra}


@dataclass(frozen=True, slots=True)
class Problem:
    """One bad field. `reason`: missing, out_of_range, unknown_value, too_long, wrong_type, unknown_field, malformed_json."""

    field: str
    reason: str
    message: str


def invalid(field: str, reason: str, message: str) -> ApiError:
    """400 for one bad field."""
    return invalid_all([Problem(field, reason, message)])


def invalid_all(problems: Sequence[Problem]) -> ApiError:
    """400 for one or more bad fields: the first one is the main error, and details lists all when there are several."""
    first = problems[0]
    details: dict[str, Any] = {"field": first.field, "reason": first.reason}
    if len(problems) > 1:
        details["errors"] = [{"field": p.field, "reason": p.reason, "message": p.message} for p in problems]
    return ApiError(400, "invalid_request", first.message, details)


def incomplete_test(missing: Sequence[str]) -> ApiError:
    """400 for a test with unanswered questions."""
    return ApiError(
        400,
        "incomplete_test",
        f"{len(missing)} questions are not answered",
        {"field": "responses", "reason": "missing"},
        {"missing_questions": list(missing)},
    )


def unauthorized() -> ApiError:
    """401: the same response for every cause, so that keys cannot be probed."""
    return ApiError(401, "unauthorized", "a valid API key is required: Authorization: Bearer idos_sk_...")


def insufficient_scope(scope: str, needs: str) -> ApiError:
    """403 when the key's scope does not cover the operation."""
    return ApiError(
        403, "insufficient_scope", f"this key's scope is {scope}, and this needs {needs}", {"scope": scope, "needs": needs}
    )


def bound_key(scope: str, needs: str) -> ApiError:
    """403 when a key that is bound to instances would create one."""
    message = f"this key is bound to its instances and creates none: use a key of scope {needs} that is not bound"
    return ApiError(403, "insufficient_scope", message, {"scope": scope, "needs": needs})


def instance_limit_reached(limit: int) -> ApiError:
    """403 when the plan's instances are used up."""
    return ApiError(403, "instance_limit_reached", f"the plan allows {limit} instances", {"limit": limit})


def not_found(what: str) -> ApiError:
    """404. Another account's instance gets exactly the same response, so the id is not repeated."""
    return ApiError(404, "not_found", f"no such {what}", {"resource": what})


def no_such_cycle(now: int) -> ApiError:
    """404 for a cycle that has not been; the agent is at cycle `now`."""
    return ApiError(404, "not_found", f"no such cycle: the agent is at cycle {now}", {"resource": "cycle"})


def method_not_allowed(allowed: str) -> ApiError:
    """405; `allowed` lists the methods of the route."""
    return ApiError(405, "method_not_allowed", f"this route supports {allowed}", headers={"Allow": allowed})


def conflict(message: str) -> ApiError:
    """409: concurrent writers won every retry, or an Idempotency-Key was reused for a different request."""
    return ApiError(409, "conflict", message)


def payload_too_large(limit: int) -> ApiError:
    """413; `limit` in bytes."""
    return ApiError(413, "payload_too_large", f"the body may have at most {limit} bytes", {"limit": limit})


def unsupported_media_type() -> ApiError:
    """415 for a body that is not declared as JSON."""
    return ApiError(415, "unsupported_media_type", "send Content-Type: application/json")


def rate_limit_exceeded(limit: int, retry_after: int) -> ApiError:
    """429 for the minute; `retry_after` in seconds to the window's end."""
    return _too_many_requests("rate_limit_exceeded", f"the plan allows {limit} requests a minute", limit, retry_after)


def quota_exceeded(limit: int, retry_after: int) -> ApiError:
    """429 for the month; `retry_after` in seconds to the month's end."""
    return _too_many_requests("quota_exceeded", f"the plan allows {limit} cycles a month", limit, retry_after)


def _too_many_requests(code: str, message: str, limit: int, retry_after: int) -> ApiError:
    return ApiError(429, code, message, {"limit": limit}, {"retry_after": retry_after}, {"Retry-After": str(retry_after)})


def internal_error() -> ApiError:
    """500: the cause is in the log, under the request id."""
    return ApiError(500, "internal_error", "internal error; no partial change was stored")


def service_unavailable(message: str = "the database does not respond; try again", retry_after: int = 1) -> ApiError:
    """503 when the database does not respond, or when this deployment lacks the engine that decides for the instance."""
    return ApiError(
        503,
        "service_unavailable",
        message,
        {},
        {"retry_after": retry_after},
        {"Retry-After": str(retry_after)},
    )
