"""A span, whichever way it is written: OTLP JSON with its lists of keys and values, or flat as the SDKs' exporters write it."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from identity_os_sdk.replay.readers.conversation import UnreadableError
from identity_os_sdk.spans import Span, from_events
from identity_os_sdk.values import name_of

_SCOPES = ("scopeSpans", "instrumentationLibrarySpans", "scope_spans")


def spans(value: Any, problem: Callable[[str], None]) -> Iterator[Span]:
    """The spans of a JSON value. `problem` is called with what is wrong with one that cannot be read."""
    for span, resource in _found(value):
        try:
            yield _span(span, resource)
        except UnreadableError as error:
            problem(str(error))


def _found(value: Any) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Spans as they stand there, each with its resource."""
    if not isinstance(value, dict) or "resourceSpans" not in value:
        span = value if isinstance(value, dict) else {}
        yield span, _attributes(_inner(span, "resource").get("attributes"))
        return
    for group in _listed(value["resourceSpans"]):
        resource = _attributes(_inner(group, "resource").get("attributes"))
        for name in _SCOPES:
            for scope in _listed(group.get(name)):
                for span in _listed(scope.get("spans")):
                    yield span, resource


def _span(value: Mapping[str, Any], resource: Mapping[str, Any]) -> Span:
    context, status = _inner(value, "context"), value.get("status")
    ids = {**context, **value}
    trace = _id(ids.get("trace_id") or ids.get("traceId"))
    if not value:
        raise UnreadableError("no span: it is no object")
    if not trace:
        raise UnreadableError("a span without a trace id")
    start = _time(value, "startTimeUnixNano", "start_time_unix_nano", "start_time", "startTime")
    end = _time(value, "endTimeUnixNano", "end_time_unix_nano", "end_time", "endTime")
    if start is None:
        raise UnreadableError("a span without a start")
    said = status if isinstance(status, dict) else {"code": status}
    code = str(said.get("code", said.get("status_code", ""))).rpartition(".")[2].rpartition("_")[2].lower()
    # The exception's own message first: a description may be a whole traceback.
    events = [(name_of(event.get("name")), _attributes(event.get("attributes"))) for event in _listed(value.get("events"))]
    content, kind, text = from_events(events)
    message = text or name_of(said.get("message") or said.get("description"))
    return Span(
        trace,
        _id(ids.get("span_id") or ids.get("spanId")),
        _id(value.get("parentSpanId") or value.get("parent_id") or value.get("parent_span_id")),
        name_of(value.get("name")),
        start,
        start if end is None else end,
        content | _attributes(value.get("attributes")),
        resource,
        {"1": "ok", "2": "error"}.get(code, code if code in ("ok", "error") else ""),
        message,
        kind,
    )


def _attributes(value: Any) -> dict[str, Any]:
    if isinstance(value, list):
        return {name_of(each.get("key")): _plain(each.get("value")) for each in _listed(value)}
    return dict(_flat("", value)) if isinstance(value, dict) else {}


def _flat(prefix: str, value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Attributes that some exporters nest: {"tool": {"name": ...}} is tool.name."""
    for name, inner in value.items():
        yield f"{prefix}{name}", inner
        if isinstance(inner, dict):
            yield from _flat(f"{prefix}{name}.", inner)


def _plain(value: Any) -> Any:
    """A value of OTLP JSON, which says its type."""
    if not isinstance(value, dict) or len(value) != 1:
        return value
    [(kind, inner)] = value.items()
    if kind == "arrayValue":
        return [_plain(each) for each in _listed(_inner(value, kind).get("values"))]
    if kind == "kvlistValue":
        return _attributes(_inner(value, kind).get("values") or [])
    if kind == "intValue":
        return int(inner) if str(inner).lstrip("-").isdigit() else inner
    return inner


def _time(value: Mapping[str, Any], *names: str) -> int | None:
    """Nanoseconds since 1970, from a number, its text, or a date."""
    for name in names:
        given = value.get(name)
        if isinstance(given, int) and not isinstance(given, bool):
            return given
        if isinstance(given, str) and given:
            if given.isdigit():
                return int(given)
            try:
                moment = datetime.fromisoformat(given.replace("Z", "+00:00"))
            except ValueError:
                continue
            # Without an offset it is UTC. Through whole seconds: a float has not enough digits.
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return int(moment.replace(microsecond=0).timestamp()) * 1_000_000_000 + moment.microsecond * 1_000
    return None


def _id(value: Any) -> str:
    return name_of(value).removeprefix("0x")


def _inner(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _listed(value: Any) -> list[Any]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
