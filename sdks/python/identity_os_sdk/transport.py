"""Sends a call with retries, waits and errors. No I/O in this module: both clients run the same generator."""

import json
import logging
import os
import random
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import uuid4

import httpx

from identity_os_sdk.calls import Call
from identity_os_sdk.errors import (
    ConfigurationError,
    ConnectionFailedError,
    InvalidArgumentError,
    MalformedAnswerError,
    TimeoutFailedError,
    api_error,
)

T = TypeVar("T")

logger = logging.getLogger("identity_os_sdk")

DEFAULT_BASE_URL = "https://api.identity-os.dev/v1"
_RETRIED = {409, 429, 500, 502, 503, 504}


@dataclass(frozen=True)
class RateLimit:
    """The plan's limits and remaining amounts. `reset`: end of the current minute in epoch seconds."""

    limit: int | None
    remaining: int | None
    reset: int | None
    monthly_limit: int | None
    monthly_remaining: int | None


@dataclass(frozen=True)
class LastResponse:
    """Metadata of a client's last response.

    `retries`: number of retries; `replayed`: a stored response was returned; `key_scope`: read, agent or operator;
    `audit_digest`: digest of the audit record that the request left, None if it left none.
    """

    status: int
    request_id: str | None
    rate_limit: RateLimit
    retries: int
    replayed: bool
    key_scope: str | None = None
    audit_digest: str | None = None


@dataclass(frozen=True)
class Options:
    """Options of both clients. Times in seconds."""

    base_url: str
    api_key: str
    timeout: float
    max_retries: int
    longest_wait: float


@dataclass(frozen=True)
class Send:
    """Step: send this request."""

    method: str
    url: str
    headers: dict[str, str]
    query: Mapping[str, Any] | None
    body: bytes | None


@dataclass(frozen=True)
class Wait:
    """Step: wait this many seconds."""

    seconds: float


Step = Send | Wait
Answer = httpx.Response | httpx.TransportError | None


def options(api_key: str | None, base_url: str | None, timeout: float, max_retries: int, longest_wait: float) -> Options:
    """The options, from arguments or IDENTITY_OS_API_KEY and IDENTITY_OS_BASE_URL."""
    key = api_key or os.environ.get("IDENTITY_OS_API_KEY")
    if not key:
        raise ConfigurationError("no API key: pass api_key, or set IDENTITY_OS_API_KEY")
    if key != key.strip():
        logger.warning("the API key has white space around it, as a file's last line has; it was trimmed")
        key = key.strip()
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ConfigurationError("the API key has a character that no key has: copy it again, without spaces or line breaks")
    url = (base_url or os.environ.get("IDENTITY_OS_BASE_URL") or DEFAULT_BASE_URL).rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(f"base_url {url!r}: must start with https://")
    if max_retries < 0 or timeout <= 0:
        raise ConfigurationError("max_retries must be 0 or more, timeout above 0")
    url = url if url.endswith("/v1") else f"{url}/v1"
    return Options(url, key, timeout, max_retries, longest_wait)


def conversation(call: Call[T], options: Options) -> Generator[Step, Answer, tuple[T, LastResponse]]:
    """Yields the next step, receives its outcome, returns the result. All attempts of a POST have the same key."""
    headers = {
        "Authorization": f"Bearer {options.api_key}",
        "Accept": "application/json",
        "User-Agent": "identity-os-sdk-python/1.1.0",
    }
    body = None
    if call.body is not None:
        headers["Content-Type"] = "application/json"
        try:
            body = json.dumps(call.body, allow_nan=False, default=_plain).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidArgumentError(f"{call.method} {call.path}: {error}") from error
    if call.method == "POST":
        headers["Idempotency-Key"] = call.idempotency_key or str(uuid4())
    had_no_response = False
    for retries in range(options.max_retries + 1):
        last = retries == options.max_retries
        response = yield Send(call.method, options.base_url + call.path, headers, call.query, body)
        if not isinstance(response, httpx.Response):
            logger.debug("%s %s: %s, sent %d times", call.method, call.path, type(response).__name__, retries + 1)
            had_no_response = True
            if last:
                kind = TimeoutFailedError if isinstance(response, httpx.TimeoutException) else ConnectionFailedError
                raise kind(f"{call.method} {call.path}: {type(response).__name__} after {retries + 1} tries") from response
            yield Wait(_backoff(retries))
            continue
        metadata = about(response, retries)
        logger.debug(
            "%s %s: %d, request %s, sent %d times", call.method, call.path, metadata.status, metadata.request_id, retries + 1
        )
        document = _document(response)
        if response.is_success and document is not None:
            try:
                return call.read(document), metadata
            except (LookupError, TypeError, ValueError) as error:
                raise MalformedAnswerError(f"{call.method} {call.path}: not the shape of this API: {error}") from error
        if response.status_code == 404 and call.method == "DELETE" and had_no_response:
            # An earlier attempt without a response deleted it.
            return call.read({"data": {"id": call.path.rpartition("/")[2], "deleted": True}}), metadata
        if document is None or "error" not in document:
            if last or (response.status_code not in _RETRIED and not response.is_success):
                raise MalformedAnswerError(f"{call.method} {call.path}: {response.status_code} without this API's JSON")
            had_no_response = True
            yield Wait(_backoff(retries))
            continue
        error_response = api_error(response.status_code, document, metadata.request_id)
        wait = _asked(response)
        wait = _backoff(retries) if wait is None else wait + random.uniform(0, 0.1)  # noqa: S311 - jitter
        if last or response.status_code not in _RETRIED or wait > options.longest_wait:
            raise error_response
        had_no_response |= response.status_code >= 500
        yield Wait(wait)
    raise AssertionError("unreachable")


def _plain(value: Any) -> str:
    """What JSON has no form for, and has one here: dates and times."""
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _backoff(retries: int) -> float:
    """0.5 s, doubled with each retry, 8 s at most; with jitter between half of it and all of it."""
    return random.uniform(0.5, 1) * min(0.5 * 2.0**retries, 8)  # noqa: S311 - jitter


def _asked(response: httpx.Response) -> float | None:
    """The wait that the server asks for, in seconds."""
    try:
        seconds = float(response.headers["Retry-After"])
    except (KeyError, ValueError):
        return None
    return seconds if 0 <= seconds < float("inf") else None


def _document(response: httpx.Response) -> dict[str, Any] | None:
    try:
        document = response.json()
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def about(response: httpx.Response, retries: int = 0) -> LastResponse:
    """The metadata of a response."""

    def number(name: str) -> int | None:
        text = response.headers.get(name, "")
        return int(text) if text.isdecimal() else None

    names = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-Monthly-Limit", "X-Monthly-Remaining")
    limits = RateLimit(*(number(name) for name in names))
    replayed = response.headers.get("Idempotent-Replayed") == "true"
    return LastResponse(
        response.status_code,
        response.headers.get("X-Request-Id"),
        limits,
        retries,
        replayed,
        response.headers.get("X-Key-Scope"),
        response.headers.get("X-Audit-Digest"),
    )
