/** What can go wrong, as a tree under IdentityOSError. The README draws it. */

type Body = { [name: string]: unknown };

/** Whatever this package throws. */
export class IdentityOSError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The client cannot be made as asked. */
export class ConfigurationError extends IdentityOSError {}

/** No answer came, after all retries. A POST may have been done; sent again under its key it is not done twice. */
export class ConnectionFailedError extends IdentityOSError {}

/** No answer came in time. */
export class TimeoutFailedError extends ConnectionFailedError {}

/** What came is not an answer of this API: a proxy's page, half a body, another shape. */
export class MalformedAnswerError extends IdentityOSError {}

/** The contract does not allow a guarded action; `allowed` is what it does. */
export class ActionNotAllowedError extends IdentityOSError {
  constructor(readonly action: string, readonly allowed: readonly string[], readonly stressState: string) {
    super(`${action} is not allowed at stress ${stressState}; allowed: ${allowed.join(", ") || "nothing"}`);
  }
}

/** The API refused. `code` is its word for why; `requestId` finds the request in the operator's log. */
export class APIError extends IdentityOSError {
  readonly code: string;
  readonly details: Body;
  /** Seconds to wait, where the API said so. */
  readonly retryAfter: number | undefined;

  constructor(readonly status: number, readonly body: Body, readonly requestId: string | null) {
    super(`${status} ${String(body.error)}: ${String(body.message)} (request ${requestId})`);
    this.code = String(body.error ?? "");
    this.details = (typeof body.details === "object" && body.details !== null ? body.details : {}) as Body;
    this.retryAfter = typeof body.retry_after === "number" ? body.retry_after : undefined;
  }
}

/** One problem of a request. */
export interface Problem {
  field: string;
  reason: string;
  message: string;
}

/** The request cannot be. `field` and `reason` are of the first problem, `problems` has all of them. */
export class InvalidRequestError extends APIError {
  get field(): string | undefined {
    return this.details.field as string | undefined;
  }
  get reason(): string | undefined {
    return this.details.reason as string | undefined;
  }
  get problems(): Problem[] {
    if (Array.isArray(this.details.errors)) return this.details.errors as Problem[];
    const { field, reason } = this;
    return field && reason ? [{ field, reason, message: String(this.body.message) }] : [];
  }
}

/** A test that leaves questions open. */
export class IncompleteTestError extends InvalidRequestError {
  get missingQuestions(): string[] {
    return (this.body.missing_questions ?? []) as string[];
  }
}

/** The key is missing, malformed, unknown or revoked; the API does not say which. */
export class AuthenticationError extends APIError {}
/** The account may not. */
export class PermissionDeniedError extends APIError {}
/** The account has all the instances that its plan allows. */
export class InstanceLimitError extends PermissionDeniedError {}
/** No such instance, persona or route. */
export class NotFoundError extends APIError {}
/** Others kept changing the same thing, for as long as this client tried; nothing was done. */
export class ConflictError extends APIError {}
/** The minute's requests are used up. */
export class RateLimitError extends APIError {}
/** The month's cycles are used up. Never retried. */
export class QuotaExceededError extends RateLimitError {}
/** The service could not answer, after all retries. */
export class ServerError extends APIError {}

type Kind = new (status: number, body: Body, requestId: string | null) => APIError;

const BY_CODE: { [code: string]: Kind } = {
  incomplete_test: IncompleteTestError,
  instance_limit_reached: InstanceLimitError,
  quota_exceeded: QuotaExceededError,
};
const BY_STATUS: { [status: number]: Kind } = {
  401: AuthenticationError,
  403: PermissionDeniedError,
  404: NotFoundError,
  409: ConflictError,
  429: RateLimitError,
};

/** The error of the tree for an answer. */
export function apiError(status: number, body: Body, requestId: string | null): APIError {
  const kind = BY_CODE[String(body.error)] ?? BY_STATUS[status] ?? (status >= 500 ? ServerError : InvalidRequestError);
  return new kind(status, body, requestId);
}
