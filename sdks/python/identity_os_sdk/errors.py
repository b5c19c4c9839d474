"""What can go wrong, as a tree.

IdentityOSError
├── ConfigurationError              no key, or a base URL that is none
├── ConnectionFailedError           no answer, after all retries
│   └── TimeoutFailedError          none in time
├── MalformedAnswerError            an answer that is not the API's
├── ActionNotAllowedError           a guarded action that the contract does not allow
└── APIError                        status, code, message, details, request_id
    ├── InvalidRequestError         400: field, reason, problems
    │   └── IncompleteTestError     400: missing_questions
    ├── AuthenticationError         401
    ├── PermissionDeniedError       403
    │   └── InstanceLimitError      403: the plan's instances are used up
    ├── NotFoundError               404
    ├── ConflictError               409
    ├── RateLimitError              429: retry_after
    │   └── QuotaExceededError      429: the month's cycles are used up
    └── ServerError                 5xx: retry_after where the server said one
"""

from typing import Any


class IdentityOSError(Exception):
    """Whatever this package raises."""


class ConfigurationError(IdentityOSError):
    """The client cannot be made as asked."""


class ConnectionFailedError(IdentityOSError):
    """No answer came, after all retries. A POST may have been done; sent again under its key it is not done twice."""


class TimeoutFailedError(ConnectionFailedError):
    """No answer came in time."""


class MalformedAnswerError(IdentityOSError):
    """What came is not an answer of this API: a proxy's page, half a body, another shape."""


class ActionNotAllowedError(IdentityOSError):
    """The contract does not allow a guarded action; `allowed` is what it does."""

    def __init__(self, action: str, allowed: list[str], stress_state: str) -> None:
        super().__init__(f"{action} is not allowed at stress {stress_state}; allowed: {', '.join(allowed) or 'nothing'}")
        self.action, self.allowed, self.stress_state = action, allowed, stress_state


class APIError(IdentityOSError):
    """The API refused. `code` is its word for why; `request_id` finds the request in the operator's log."""

    def __init__(self, status: int, body: dict[str, Any], request_id: str | None) -> None:
        self.status = status
        self.code: str = str(body.get("error", ""))
        self.message: str = str(body.get("message", ""))
        details = body.get("details")
        self.details: dict[str, Any] = details if isinstance(details, dict) else {}
        self.request_id = request_id
        self.retry_after: float | None = body.get("retry_after")
        self.body = body
        super().__init__(f"{status} {self.code}: {self.message} (request {request_id})")


class InvalidRequestError(APIError):
    """The request cannot be. `field` and `reason` are of the first problem, `problems` has all of them."""

    @property
    def field(self) -> str | None:
        """Path of the first bad field, such as observations[0].mode_target."""
        return self.details.get("field")

    @property
    def reason(self) -> str | None:
        """missing, out_of_range, unknown_value, too_long, wrong_type, unknown_field or malformed_json."""
        return self.details.get("reason")

    @property
    def problems(self) -> list[dict[str, str]]:
        """Every problem: field, reason, message."""
        if "errors" in self.details:
            return list(self.details["errors"])
        return [{"field": self.field, "reason": self.reason, "message": self.message}] if self.field and self.reason else []


class IncompleteTestError(InvalidRequestError):
    """A test that leaves questions open."""

    @property
    def missing_questions(self) -> list[str]:
        """Ids of the open questions."""
        return list(self.body.get("missing_questions", []))


class AuthenticationError(APIError):
    """The key is missing, malformed, unknown or revoked; the API does not say which."""


class PermissionDeniedError(APIError):
    """The account may not."""


class InstanceLimitError(PermissionDeniedError):
    """The account has all the instances that its plan allows."""


class NotFoundError(APIError):
    """No such instance, persona or route."""


class ConflictError(APIError):
    """Others kept changing the same thing, for as long as this client tried; nothing was done."""


class RateLimitError(APIError):
    """The minute's requests are used up. `retry_after`: seconds until the next minute."""


class QuotaExceededError(RateLimitError):
    """The month's cycles are used up. `retry_after`: seconds until the next month. Never retried."""


class ServerError(APIError):
    """The service could not answer, after all retries."""


_BY_CODE: dict[str, type[APIError]] = {
    "incomplete_test": IncompleteTestError,
    "instance_limit_reached": InstanceLimitError,
    "quota_exceeded": QuotaExceededError,
}
_BY_STATUS: dict[int, type[APIError]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    429: RateLimitError,
}


def api_error(status: int, body: dict[str, Any], request_id: str | None) -> APIError:
    """The error of the tree for an answer."""
    usual = ServerError if status >= 500 else InvalidRequestError
    kind = _BY_CODE.get(str(body.get("error"))) or _BY_STATUS.get(status, usual)
    return kind(status, body, request_id)
