"""OpenTelemetry spans: spans as JSON, as the SDKs write them, and OTLP JSON (`resourceSpans`). One trace is one run.

Spans that execute a tool count: GenAI's `execute_tool`, OpenInference's TOOL, Traceloop's tool. They are kept until the last
file is read, since a trace may go on in the next one. A call begins and ends with its span. Chat spans are left out.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from identity_os_sdk.replay.readers.files import Document
from identity_os_sdk.replay.readers.reading import Reading
from identity_os_sdk.replay.readers.spans import spans
from identity_os_sdk.replay.runs import Problem, Run
from identity_os_sdk.spans import Span
from identity_os_sdk.values import name_of


@dataclass
class _Trace:
    """The tool spans of a trace so far, and what its other spans say of it."""

    document: Document
    tools: list[Span] = field(default_factory=list)
    agent: str = ""
    service: str = ""
    conversation: str = ""


def recognises(value: Any) -> bool:
    """Whether a value looks like it."""
    if not isinstance(value, dict):
        return False
    context = value.get("context")
    ids = {**value, **(context if isinstance(context, dict) else {})}
    return "resourceSpans" in value or ("name" in value and bool({"trace_id", "traceId"} & set(ids)))


def runs(documents: Iterable[Document], reading: Reading) -> Iterator[Run]:
    """The runs, in the order in which they began."""
    traces: dict[str, _Trace] = {}
    for document in documents:
        for span in spans(document.value, reading.steps(document).problem):
            _add(traces, document, span)
    silent = [trace for trace in traces.values() if not trace.tools]
    if silent:
        where = silent[0].document.source
        reading.problem(Problem(where, f"traces without a span that executes a tool: {len(silent)}, this one first"))
    with_tools = [(trace_id, trace) for trace_id, trace in traces.items() if trace.tools]
    for trace_id, trace in sorted(with_tools, key=lambda each: min(span.start for span in each[1].tools)):
        yield _run(trace_id, trace, reading)


def _add(traces: dict[str, _Trace], document: Document, span: Span) -> None:
    trace = traces.setdefault(span.trace, _Trace(document))
    trace.agent = trace.agent or span.agent()
    trace.service = trace.service or name_of(span.resource.get("service.name"))
    trace.conversation = trace.conversation or span.conversation()
    if span.executes_tool() and span.is_over():
        trace.tools.append(span)


def _run(trace_id: str, trace: _Trace, reading: Reading) -> Run:
    moments: list[tuple[int, int, Span]] = []
    for span in _distinct(trace.tools):
        moments += [(span.start, 1, span), (max(span.end, span.start), 0 if span.end > span.start else 2, span)]
    steps = reading.steps(trace.document)
    for _, what, span in sorted(moments, key=lambda moment: moment[:2]):
        if what == 1:
            steps.called(span.tool(), span.arguments(), span.id)
        else:
            flag, message = span.failure()
            steps.returned(span.id, None, span.result(), flag, message)
    agent = trace.agent or trace.service
    return reading.run(trace.document, steps.made, run_id=trace_id, agent=agent, task=trace.conversation or trace_id)


def _distinct(tools: list[Span]) -> Iterator[Span]:
    """Two libraries may record one call: with its id, or as a span of the same tool inside of the other. A failure counts."""
    by_id, by_call = {span.id: span for span in tools}, dict[str, Span]()
    for span in sorted(tools, key=lambda span: (span.start, -span.end)):
        call_id = span.call_id()
        around = by_id.get(span.parent)
        same = by_call.get(call_id) if call_id else None
        if same is None and around is not None and around is not span and around.tool() == span.tool():
            same = around
        if same is None:
            by_call[call_id or f"span {span.id}"] = span
        elif span.failure()[0] and not same.failure()[0]:
            same.take_failure_of(span)
    yield from by_call.values()
