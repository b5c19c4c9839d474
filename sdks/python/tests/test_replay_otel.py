"""Spans of agents: OTLP, flat spans, three vocabularies. One trace is one run, in whatever order and files its spans are."""

import json
from pathlib import Path

import pytest
from identity_os_sdk.replay import Called, Returned
from identity_os_sdk.replay.readers import FORMATS, read
from identity_os_sdk.replay.readers.files import Document
from identity_os_sdk.replay.readers.reading import Reading

SECOND = 1_000_000_000
START = 1_767_225_600  # 2026-01-01T00:00:00Z


def flat(number, attributes, *, trace="0xa1", status="UNSET", begin=0.0, end=None, parent=None, **more):
    """As the Python SDK's console exporter writes a span. `begin`, `end`: seconds."""
    end = begin + 1 if end is None else end
    return {
        "name": f"execute_tool {attributes.get('gen_ai.tool.name', '')}".strip(),
        "context": {"trace_id": trace, "span_id": f"0x{number}", "trace_state": "[]"},
        "kind": "SpanKind.INTERNAL",
        "parent_id": parent,
        "start_time": f"2026-01-01T00:00:{begin:09.6f}Z",
        "end_time": f"2026-01-01T00:00:{end:09.6f}Z",
        "status": {"status_code": status, **({"description": "the backend is down"} if status == "ERROR" else {})},
        "attributes": attributes,
        "events": [],
        "links": [],
        "resource": {"attributes": {"service.name": "shop"}, "schema_url": ""},
        **more,
    }


def otlp(*spans):
    """The same spans as OTLP JSON."""

    def value(given):
        return {"boolValue": given} if isinstance(given, bool) else {"stringValue": str(given)}

    def attributes(given):
        return [{"key": name, "value": value(each)} for name, each in given.items()]

    def nanoseconds(text):
        return str(START * SECOND + int(float(text[17:26]) * SECOND))

    made = [
        {
            "traceId": span["context"]["trace_id"].removeprefix("0x"),
            "spanId": span["context"]["span_id"].removeprefix("0x"),
            "parentSpanId": (span["parent_id"] or "").removeprefix("0x"),
            "name": span["name"],
            "kind": 1,
            "startTimeUnixNano": nanoseconds(span["start_time"]),
            "endTimeUnixNano": nanoseconds(span["end_time"]),
            "attributes": attributes(span["attributes"]),
            "status": {"ERROR": {"code": 2, "message": "the backend is down"}, "OK": {"code": 1}}.get(
                span["status"]["status_code"], {}
            ),
        }
        for span in spans
    ]
    resource = {"attributes": attributes({"service.name": "shop"})}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "x"}, "spans": made}]}]}


def tool(name, arguments, result, **more):
    return {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": name,
        "gen_ai.tool.call.arguments": json.dumps(arguments),
        "gen_ai.tool.call.result": result,
        **more,
    }


CHAT = {"gen_ai.operation.name": "chat", "gen_ai.agent.name": "support-bot", "gen_ai.conversation.id": "conv-1"}
SPANS = [
    flat(4, tool("refund", {"order": 7}, "", **{"gen_ai.tool.call.id": "c2"}), status="ERROR", begin=3),
    flat(2, tool("get_order", {"order": 7}, "paid", **{"gen_ai.tool.call.id": "c1"}), begin=1),
    {**flat(1, CHAT, begin=0, end=0.5), "name": "chat some-model"},
]
STEPS = [
    Called("get_order", {"order": 7}, "2"),
    Returned("2", "paid", None, "nothing says error"),
    Called("refund", {"order": 7}, "4"),
    Returned("4", "", "the backend is down", "the recording says error"),
]


def runs_of(*values):
    problems = []
    made = list(FORMATS["otel"].runs([Document(value, Path("spans.jsonl")) for value in values], Reading(problems.append)))
    assert problems == []
    return made


def test_flat_spans_and_otlp_are_the_same_run():
    for values in (SPANS, [otlp(*SPANS)], [otlp(span) for span in SPANS]):
        [run] = runs_of(*values)
        assert list(run.steps) == STEPS
        assert (run.id, run.agent, run.task, run.succeeded) == ("a1", "support-bot", "conv-1", None)


@pytest.mark.parametrize(
    "attributes",
    [
        {"openinference.span.kind": "TOOL", "tool.name": "get_order", "input.value": '{"order": 7}', "output.value": "paid"},
        {
            "openinference": {"span": {"kind": "TOOL"}},
            "tool": {"name": "get_order"},
            "input": {"value": '{"order": 7}'},
            "output": {"value": "paid"},
        },
        {
            "traceloop.span.kind": "tool",
            "traceloop.entity.name": "get_order",
            "traceloop.entity.input": '{"order": 7}',
            "traceloop.entity.output": "paid",
        },
    ],
)
def test_other_vocabularies(attributes):
    [run] = runs_of({**flat(2, attributes), "name": "get_order.tool"})
    assert list(run.steps) == STEPS[:2]
    assert run.agent == "shop", "the service, where no span names an agent"


MESSAGE = {"content": "no such order", "name": "get_order", "id": None, "tool_call_id": "call-1", "status": "error"}
LANGCHAIN = {
    "OpenInference": {
        "openinference.span.kind": "TOOL",
        "tool.name": "get_order",
        "input.value": "{'order': 7}",
        "output.value": json.dumps({"type": "tool", "data": MESSAGE}),
    },
    "Traceloop": {
        "traceloop.span.kind": "tool",
        "traceloop.entity.name": "get_order",
        "gen_ai.tool.call.arguments": json.dumps({"input_str": "{'order': 7}", "metadata": {"langgraph_step": 4}}),
        "traceloop.entity.output": json.dumps(
            {
                "output": {"lc": 1, "type": "constructor", "id": ["x", "ToolMessage"], "kwargs": MESSAGE},
                "kwargs": {"color": "red"},
            }
        ),
    },
}


@pytest.mark.parametrize("vocabulary", LANGCHAIN)
def test_a_tool_message_of_langchain_says_what_the_call_brought(vocabulary):
    [run] = runs_of(flat(2, LANGCHAIN[vocabulary], status="OK"))
    called, returned = run.steps
    assert (called.tool, called.arguments) == ("get_order", "{'order': 7}")
    assert (returned.result, returned.error, returned.rule) == ("no such order", "no such order", "the recording says error")


def test_arguments_and_result_may_stand_in_events():
    events = [
        {"name": "gen_ai.tool.message", "attributes": {"role": "tool", "content": '{"order": 7}', "id": "c1"}},
        {"name": "gen_ai.choice", "attributes": {"message": '[{"text": "paid"}, {"text": "twice"}]', "id": "c1"}},
    ]
    span = flat(1, {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "pay"}, status="OK", events=events)
    [run] = runs_of(span)
    assert (run.steps[0].arguments, run.steps[1].result) == ({"order": 7}, "paid\ntwice")


def test_the_span_around_calls_made_at_once_is_no_call():
    [run] = runs_of(flat(1, tool("a", {}, "x")), flat(2, tool("(merged tools)", {}, "x")))
    assert [step.call_id for step in run.steps] == ["1", "1"]


def test_a_call_that_waits_for_an_answer_is_no_step_until_it_ran():
    waits = flat(1, tool("pay", {}, None, **{"error.type": "GraphInterrupt"}), status="ERROR")
    [run] = runs_of(waits, flat(2, tool("pay", {}, "paid"), begin=2))
    assert [(type(step).__name__, step.call_id) for step in run.steps] == [("Called", "2"), ("Returned", "2")]


def test_the_exceptions_own_message_comes_before_a_description_that_holds_a_traceback():
    events = [{"name": "exception", "attributes": {"exception.message": "declined"}}]
    span = flat(1, tool("pay", {}, ""), status="ERROR", events=events)
    span["status"]["description"] = "Traceback: in get(timeout=5) ..."
    [run] = runs_of(span)
    assert run.steps[1].error == "declined"


def test_calls_that_overlap_begin_and_end_when_their_spans_do():
    spans = [flat(1, tool("a", {}, "x"), begin=0, end=5), flat(2, tool("b", {}, "y"), begin=1, end=2)]
    [run] = runs_of(*spans)
    assert [(type(step).__name__, step.call_id) for step in run.steps] == [
        ("Called", "1"),
        ("Called", "2"),
        ("Returned", "2"),
        ("Returned", "1"),
    ]
    [run] = runs_of(flat(1, tool("a", {}, "x"), begin=0, end=0), flat(2, tool("a", {}, "x"), begin=0, end=0))
    assert [type(step).__name__ for step in run.steps] == ["Called", "Called", "Returned", "Returned"]


@pytest.mark.parametrize("inner_id", ["c1", None])
def test_a_call_that_two_libraries_record_is_one_and_its_failure_counts(inner_id):
    outer = flat(1, tool("get_order", {}, "x", **{"gen_ai.tool.call.id": "c1"}), begin=0, end=3)
    attributes = {"traceloop.span.kind": "tool", "traceloop.entity.name": "get_order"}
    attributes |= {"gen_ai.tool.call.id": inner_id} if inner_id else {}
    inner = {**flat(2, attributes, begin=1, parent="0x1", status="ERROR"), "name": "get_order.tool"}
    [run] = runs_of(inner, outer)
    assert [(step.call_id, getattr(step, "error", None)) for step in run.steps] == [("1", None), ("1", "the backend is down")]


@pytest.mark.parametrize(
    ("span", "error", "rule"),
    [
        (flat(1, tool("a", {}, "Error: down")), "Error: down", "begins like an error"),
        (flat(1, tool("a", {}, "Error: down"), status="OK"), None, "the recording says worked"),
        (flat(1, tool("a", {}, "", **{"error.type": "timeout"})), "timeout", "the recording says error"),
        (
            flat(1, tool("a", {}, ""), events=[{"name": "exception", "attributes": {"exception.message": "down"}}])
            | {"status": {"status_code": "StatusCode.ERROR"}},
            "down",
            "the recording says error",
        ),
    ],
)
def test_whether_a_span_is_an_error(span, error, rule):
    [run] = runs_of(span)
    assert (run.steps[1].error, run.steps[1].rule) == (error, rule)


def test_a_trace_goes_on_in_the_next_file_and_runs_come_in_the_order_of_their_begin(tmp_path):
    late = flat(9, tool("a", {}, "x"), trace="0xb2", begin=30)
    # The console exporter writes indented objects one after another.
    (tmp_path / "1.json").write_text("\n".join(json.dumps(span, indent=4) for span in [late, SPANS[0]]))
    (tmp_path / "2.jsonl").write_text("\n".join(json.dumps(span) for span in SPANS[1:]))
    (tmp_path / "3.json").write_text(json.dumps(otlp(flat(7, tool("a", {}, "x"), trace="0xc3", begin=20)), indent=1))
    (tmp_path / "4.json").write_text(json.dumps([flat(8, CHAT, trace="0xd4")]))
    problems, formats = [], []
    runs = list(read([tmp_path], problem=problems.append, recognised=lambda _, name: formats.append(name)))
    assert [run.id for run in runs] == ["a1", "c3", "b2"]
    assert list(runs[0].steps) == STEPS
    assert formats == ["otel"] * 4
    [problem] = problems
    assert problem.message == "traces without a span that executes a tool: 1, this one first"
