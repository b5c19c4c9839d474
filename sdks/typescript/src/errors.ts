/** The error hierarchy under IdentityOSError. The README shows the tree. */

import type { Action, KeyScope, StressState } from "./models.js";

type Body = { [name: string]: unknown };

/** Base class of all errors of this package. */
export class IdentityOSError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The client's configuration is invalid. */
export class ConfigurationError extends IdentityOSError {}

/** A delivery of an event is not from Identity OS, was changed, or is old. */
export class SignatureError extends IdentityOSError {}

/** No response, after all retries. A POST may have been executed. */
export class ConnectionFailedError extends IdentityOSError {}

/** The request timed out, after all retries. */
export class TimeoutFailedError extends ConnectionFailedError {}

/** The response is not one of this API, such as a proxy's page or an incomplete body. */
export class MalformedAnswerError extends IdentityOSError {}

/** The contract does not let a guarded action through; `allowed` lists the allowed actions. */
export class ActionNotAllowedError extends IdentityOSError {
  constructor(
    readonly action: Action,
    readonly allowed: readonly Action[],
    readonly stressState: StressState,
    message = `${action} is not allowed at stress ${stressState}; allowed: ${allowed.join(", ") || "nothing"}`,
  ) {
    super(message);
  }
}

/** The agent should pause: a guarded action waits until `reason` ends. Rest, or do a safe action. */
export class PausedError extends ActionNotAllowedError {
  constructor(action: Action, allowed: readonly Action[], stressState: StressState, readonly reason: string) {
    super(action, allowed, stressState, `${action} waits: the agent should pause: ${reason}`);
  }
}

/** A human is needed, because of `reason`, before the agent goes on. */
export class EscalatedError extends ActionNotAllowedError {
  constructor(action: Action, allowed: readonly Action[], stressState: StressState, readonly reason: string) {
    super(action, allowed, stressState, `${action} is not allowed: a human is needed: ${reason}`);
  }
}

/** The API returned an error. `code` is its error code; `requestId` identifies the request in the operator's log. */
export class APIError extends IdentityOSError {
  readonly code: string;
  readonly details: Body;
  /** Seconds to wait, if the API sent them. */
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

/** The request is invalid. `field` and `reason` describe the first problem, `problems` lists all of them. */
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

/** A test with unanswered questions. */
export class IncompleteTestError extends InvalidRequestError {
  get missingQuestions(): string[] {
    return (this.body.missing_questions ?? []) as string[];
  }
}

/** The key is missing, malformed, unknown or revoked; the API does not say which. */
export class AuthenticationError extends APIError {}
/** The key or the account may not do this. `scope`: the key's, `needs`: the one that this needs, where the scope is the reason. */
export class PermissionDeniedError extends APIError {
  get scope(): KeyScope | undefined {
    return this.details.scope as KeyScope | undefined;
  }
  get needs(): KeyScope | undefined {
    return this.details.needs as KeyScope | undefined;
  }
}
/** The account has as many instances as its plan allows. */
export class InstanceLimitError extends PermissionDeniedError {}
/** No such instance, persona or route. */
export class NotFoundError extends APIError {}
/** Concurrent changes won every retry, or an Idempotency-Key was reused. Nothing was changed. */
export class ConflictError extends APIError {}
/** The minute's requests are used up. */
export class RateLimitError extends APIError {}
/** The month's cycles are used up. Never retried. */
export class QuotaExceededError extends RateLimitError {}
/** The service failed, after all retries. */
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

/** The error for an error response. */
export function apiError(status: number, body: Body, requestId: string | null): APIError {
  const kind = BY_CODE[String(body.error)] ?? BY_STATUS[status] ?? (status >= 500 ? ServerError : InvalidRequestError);
  return new kind(status, body, requestId);
}
