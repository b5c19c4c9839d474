"""OpenTelemetry: observes the tool calls of whatever is instrumented, by the spans that end in this process.

    provider.add_span_processor(IdentityOSSpanProcessor(guard))

It cannot hold a call: a span that ends is over. Spans of GenAI (`execute_tool`), OpenInference and Traceloop count. No engine
slows the program down and no exception of ours reaches it: calls wait in a queue of limited length for a thread that reports
them. The other way, the guard's verdicts as spans and metrics, is `identity_os_sdk.telemetry`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import NonRecordingSpan

from ..errors import ConfigurationError
from ..guard import Guard, GuardAsync
from ..outcomes import ErrorRules
from ..spans import Span, from_events
from ..telemetry import VERDICT, instrument, mark
from ..values import arguments_of
from ._worker import Worker

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["IdentityOSSpanProcessor", "instrument"]

log = logging.getLogger("identity_os_sdk")

#: Spans that are open at once. A program that never ends its spans must not fill the memory.
_OPEN: Final = 10_000
_RULES: Final = ErrorRules()
_STATUS: Final = {"OK": "ok", "ERROR": "error"}


@dataclass
class _Open:
    """A span that has begun. `inside`: the tool of a reported span within it; `failed`: one that failed and was not."""

    span: ReadableSpan
    inside: str = ""
    failed: Span | None = None


@dataclass(frozen=True)
class _Ended:
    """A call on its way to the guard. `around`: the spans around it, the nearest first."""

    call: Span
    span: ReadableSpan
    around: tuple[ReadableSpan, ...]


class IdentityOSSpanProcessor(SpanProcessor):
    """Reports the tool calls that ended spans tell of.

    `guard`: the guard of all of them; or guards by the names of their agents (`gen_ai.agent.name` of the span, or of one around
    it); or a function from a span to its guard, None for none. A call that the guard judged through an adapter is left to it.
    `queue`: calls that may wait to be reported. What comes when so many wait is dropped, counted in `dropped`, and logged once.
    `flush_seconds`: how long `shutdown` waits for what still has to be reported.
    """

    def __init__(
        self,
        guard: Guard | GuardAsync | Mapping[str, Guard | GuardAsync] | Callable[[ReadableSpan], Guard | GuardAsync | None],
        *,
        queue: int = 2_048,
        flush_seconds: float = 5.0,
    ) -> None:
        if queue < 1:
            raise ConfigurationError(f"queue={queue}: 1 or more")
        self._guards: Any = guard
        if isinstance(guard, Mapping):
            self._guards = {name: _synchronous(each) for name, each in guard.items()}
        elif not callable(guard):
            self._guards = _synchronous(guard)
        self._flush_seconds = flush_seconds
        # Without a lock: each step is one operation of a dict, and a lock could be held for ever in the child of a fork.
        self._open: dict[int, _Open] = {}
        self._known: WeakSet[Guard] = WeakSet()
        self._unknown: set[str] = set()
        self._worker: Worker[_Ended | None] = Worker("identity-os-spans", self._report, queue)
        for each in self._guards.values() if isinstance(guard, Mapping) else () if callable(guard) else [self._guards]:
            self._get_to_know(each)

    @property
    def dropped(self) -> int:
        """Calls that were not reported, because too many waited or it was too late."""
        return self._worker.dropped

    def on_start(self, span: Any, parent_context: Context | None = None) -> None:  # noqa: ARG002
        """Remember a span that may be around a call; OpenTelemetry calls this."""
        try:
            self._open[span.context.span_id] = _Open(span)
            if len(self._open) > _OPEN:
                self._open.pop(next(iter(self._open)), None)
        except Exception:
            log.exception("a span could not be read; the program goes on")

    def on_end(self, span: ReadableSpan) -> None:
        """Put a tool call in line; OpenTelemetry calls this, in the thread of the program."""
        try:
            ended = self._ended(span)
            if ended is not None:
                self._worker.put(ended)
        except Exception:
            log.exception("a span could not be read; the program goes on")

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until all is reported, at most so long. Whether it is."""
        self._worker.put(None, always=True)
        return self._worker.flush(timeout_millis / 1_000)

    def shutdown(self) -> None:
        """Report what waits, for `flush_seconds` at most, and take no more."""
        self._worker.put(None, always=True)
        if not self._worker.stop(self._flush_seconds):
            log.warning("tool calls are not all reported: the engine did not answer within %s s", self._flush_seconds)

    def _ended(self, span: ReadableSpan) -> _Ended | None:
        """The call that an ended span tells of, None if there is none to report."""
        context, parent = span.context, span.parent
        mine = self._open.pop(context.span_id, None) or _Open(span)
        if VERDICT in (span.attributes or {}) or not Span.of(span.name, span.attributes or {}).executes_tool():
            return None
        call = _read(span)
        if mine.inside == call.tool() or not call.is_over():
            return None
        if mine.failed is not None and not call.failure()[0]:
            call.take_failure_of(mine.failed)
        outer = self._open.get(parent.span_id) if parent is not None else None
        if outer is not None:
            same = _read(outer.span)
            if same.executes_tool() and same.tool() == call.tool():  # two libraries record one call
                outer.failed = call if call.failure()[0] else outer.failed
                return None
            outer.inside = call.tool()
        around = self._around(parent)
        if any(VERDICT in (each.attributes or {}) and _read(each).tool() == call.tool() for each in around):
            return None
        return _Ended(call, span, tuple(around))

    def _around(self, parent: Any) -> list[ReadableSpan]:
        found: list[ReadableSpan] = []
        while parent is not None and (mine := self._open.get(parent.span_id)) is not None and mine.span not in found:
            found.append(mine.span)
            parent = mine.span.parent
        return found

    def _report(self, ended: _Ended | None) -> None:
        """Tell the guard of a call; in the worker's thread. None: what the guards have not sent yet, because of a flush."""
        if ended is None:
            for each in list(self._known):
                each.close()
            return
        call, guard = ended.call, self._guard_of(ended)
        if guard is None:
            return
        given = call.call_id()
        if given and guard.core.was_asked(given):
            return
        result = call.result()
        error, _ = _RULES.judge(result, *call.failure())
        arguments = call.arguments()
        with trace.use_span(NonRecordingSpan(ended.span.context)):  # so that the verdict's span is found beside the call's
            guard.saw_tool(
                call.tool(),
                None if arguments is None else arguments_of(arguments),
                f"{call.trace}:{given or call.id}",
                result,
                error,
                call.error_class() or None,
            )

    def _guard_of(self, ended: _Ended) -> Guard | None:
        if isinstance(self._guards, Guard):
            return self._guards
        if callable(self._guards):
            chosen = self._guards(ended.span)
            guard = None if chosen is None else _synchronous(chosen)
            if guard is not None:
                self._get_to_know(guard)
            return guard
        agent = ended.call.agent() or next((name for each in ended.around if (name := _read(each).agent())), "")
        found: Guard | None = self._guards.get(agent)
        if found is None and agent not in self._unknown and len(self._unknown) < _OPEN:
            self._unknown.add(agent)
            log.warning("tool calls of agent %r are not reported: no guard has that name", agent)
        return found

    def _get_to_know(self, guard: Guard) -> None:
        """Have the guard mark the spans of calls that it judges through an adapter: they are not reported twice."""
        if guard not in self._known:
            self._known.add(guard)
            guard.on("verdict", lambda about: mark(trace.get_current_span(), {VERDICT: about["kind"]}))


def _synchronous(guard: Any) -> Guard:
    """The guard as it can be called from a thread."""
    if isinstance(guard, GuardAsync) and not guard._awaitable:
        return guard._guard
    if not isinstance(guard, Guard):
        raise ConfigurationError(
            f"{type(guard).__name__}: IdentityOSSpanProcessor takes a Guard over IdentityOS or a LocalEngine"
        )
    return guard


def _read(span: ReadableSpan) -> Span:
    """A span of the OpenTelemetry SDK as `Span`."""
    context = span.context
    content, kind, message = from_events((event.name, event.attributes or {}) for event in span.events)
    return Span(
        trace=trace.format_trace_id(context.trace_id),
        id=trace.format_span_id(context.span_id),
        parent="" if span.parent is None else trace.format_span_id(span.parent.span_id),
        name=span.name,
        start=span.start_time or 0,
        end=span.end_time or 0,
        attributes={**content, **(span.attributes or {})},
        resource=span.resource.attributes,
        status=_STATUS.get(span.status.status_code.name, ""),
        # The exception's own message first: a description may be a whole traceback.
        message=message or span.status.description or "",
        exception=kind,
    )
