"""The error hierarchy.

IdentityOSError
├── ConfigurationError              no key, or an invalid base URL
├── SignatureError                  a delivery of an event that is not from Identity OS, changed or old
├── ConnectionFailedError           no response, after all retries
│   └── TimeoutFailedError          timeout
├── MalformedAnswerError            a response that is not the API's
├── InvalidArgumentError            an argument that cannot be sent, such as NaN; a ValueError too
├── UnknownActionError              a word that is no action; a ValueError too
├── ActionNotAllowedError           a guarded action that the contract does not allow
│   ├── PausedError                 the contract asks for a pause: reason
│   └── EscalatedError              the contract asks for a human: reason
└── APIError                        status, code, message, details, request_id
    ├── InvalidRequestError         400: field, reason, problems
    │   └── IncompleteTestError     400: missing_questions
    ├── AuthenticationError         401
    ├── PermissionDeniedError       403
    │   └── InstanceLimitError      403: the plan's instance limit is reached
    ├── NotFoundError               404
    ├── ConflictError               409
    ├── RateLimitError              429: retry_after
    │   └── QuotaExceededError      429: the month's cycles are used up
    └── ServerError                 5xx: retry_after if the server sent it
"""

from typing import Any


class IdentityOSError(Exception):
    """Base class of all errors of this package."""


class ConfigurationError(IdentityOSError):
    """The client's configuration is invalid."""


class SignatureError(IdentityOSError):
    """A delivery of an event is not from Identity OS, was changed, or is old."""


class ConnectionFailedError(IdentityOSError):
    """No response, after all retries. A POST may have been executed."""


class TimeoutFailedError(ConnectionFailedError):
    """The request timed out, after all retries."""


class MalformedAnswerError(IdentityOSError):
    """The response is not one of this API, such as a proxy's page or an incomplete body."""


class InvalidArgumentError(IdentityOSError, ValueError):
    """An argument that cannot be sent or taken: NaN, a value that JSON has no form for, an unknown mode of LocalEngine."""


class UnknownActionError(IdentityOSError, ValueError):
    """A word that is none of the twelve actions."""


class ActionNotAllowedError(IdentityOSError):
    """The contract does not allow a guarded action; `allowed` lists the allowed actions.

    `reason` is the contract's, None where stress, governance or profile removed the action.
    """

    _because = ""

    def __init__(self, action: str, allowed: list[str], stress_state: str, reason: str | None = None) -> None:
        names = ", ".join(allowed) or "nothing"
        why = f"{self._because}: {reason}" if self._because else f"stress is {stress_state}"
        super().__init__(f"{action} is not allowed: {why}; allowed: {names}")
        self.action, self.allowed, self.stress_state, self.reason = action, allowed, stress_state, reason


class PausedError(ActionNotAllowedError):
    """The contract asks the agent to pause (should_pause)."""

    _because = "the agent should pause"


class EscalatedError(ActionNotAllowedError):
    """The contract asks for a human (should_escalate)."""

    _because = "a human is needed"


class APIError(IdentityOSError):
    """The API returned an error. `code` is its error code; `request_id` identifies the request in the operator's log."""

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
    """The request is invalid. `field` and `reason` describe the first problem, `problems` lists all of them."""

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
    """A test with unanswered questions."""

    @property
    def missing_questions(self) -> list[str]:
        """Ids of the unanswered questions."""
        return list(self.body.get("missing_questions", []))


class AuthenticationError(APIError):
    """The key is missing, malformed, unknown or revoked; the API does not say which."""


class PermissionDeniedError(APIError):
    """The key or the account may not do this."""

    @property
    def scope(self) -> str | None:
        """The key's scope: read, agent or operator; None when the scope is not the reason."""
        return self.details.get("scope")

    @property
    def needs(self) -> str | None:
        """The scope that this needs; None when the scope is not the reason."""
        return self.details.get("needs")


class InstanceLimitError(PermissionDeniedError):
    """The account has as many instances as its plan allows."""


class NotFoundError(APIError):
    """No such instance, persona or route."""


class ConflictError(APIError):
    """Concurrent changes won every retry, or an Idempotency-Key was reused. Nothing was changed."""


class RateLimitError(APIError):
    """The minute's requests are used up. `retry_after`: seconds until the next minute."""


class QuotaExceededError(RateLimitError):
    """The month's cycles are used up. `retry_after`: seconds until the next month. Never retried."""


class ServerError(APIError):
    """The service failed, after all retries."""


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
    """The error for an error response."""
    usual = ServerError if status >= 500 else InvalidRequestError
    kind = _BY_CODE.get(str(body.get("error"))) or _BY_STATUS.get(status, usual)
    return kind(status, body, request_id)
