"""The span processor, with spans written by hand in three vocabularies. Instrumented frameworks: test_traced_*.py."""

import json
import logging
import os
import subprocess
import sys
import threading
from contextlib import ExitStack

import pytest
import story
from identity_os_sdk import Guard, GuardAsync
from identity_os_sdk.errors import ConfigurationError
from identity_os_sdk.integrations._worker import Worker
from identity_os_sdk.integrations.otel import IdentityOSSpanProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Status, StatusCode

FAILS = story.STORIES[0]


class Traced:
    """A program with a tracer of its own and one processor."""

    def __init__(self, processor):
        self.processor, self.provider = processor, TracerProvider()
        self.provider.add_span_processor(processor)
        self.tracer = self.provider.get_tracer("test")

    def call(self, tool, result=None, error=None, *, target="1", vocabulary="gen_ai", inside=None, **attributes):
        """A tool call, its span written as a vocabulary wants it; `inside` runs within."""
        with self.tracer.start_as_current_span(f"execute_tool {tool}" if vocabulary == "gen_ai" else tool) as span:
            span.set_attributes(written(vocabulary, tool, target, result) | attributes)
            if inside is not None:
                inside()
            if error is not None:
                span.record_exception(error)
                span.set_status(Status(StatusCode.ERROR, f"Traceback (most recent call last): timeout=5 ... {error}"))

    def flushed(self):
        assert self.provider.force_flush()
        return self


def written(vocabulary, tool, target, result):
    arguments = None if target is None else json.dumps({"target": target})
    names = {
        "gen_ai": (
            "gen_ai.operation.name",
            "execute_tool",
            "gen_ai.tool.name",
            "gen_ai.tool.call.arguments",
            "gen_ai.tool.call.result",
        ),
        "openinference": ("openinference.span.kind", "TOOL", "tool.name", "input.value", "output.value"),
        "traceloop": (
            "traceloop.span.kind",
            "tool",
            "traceloop.entity.name",
            "traceloop.entity.input",
            "traceloop.entity.output",
        ),
    }[vocabulary]
    values = {names[0]: names[1], names[2]: tool, names[3]: arguments, names[4]: result}
    return {name: value for name, value in values.items() if value is not None}


def new_guard(**options):
    return Guard(story.RecordingEngine(), "inst_1", tools=story.TOOLS, **options)


def observing(guard, **options):
    return Traced(IdentityOSSpanProcessor(guard, **options))


def play_in(vocabulary):
    def play(script, guard):
        traced, messages = observing(guard), []
        for call in script.calls:
            try:
                result, error = script.run(call.tool, call.args), None
            except script.ToolFailed as failed:
                result, error = None, failed
            traced.call(call.tool, result, error, target=call.args["target"], vocabulary=vocabulary)
            messages.append(result or str(error))
        traced.flushed()
        return messages

    return play


test_observed_in_gen_ai = story.observed(play_in("gen_ai"))
test_observed_in_openinference = story.observed(play_in("openinference"))
test_observed_in_traceloop = story.observed(play_in("traceloop"))
test_table = story.table_row("otel", play_in("gen_ai"))


def test_an_observer_holds_nothing_and_other_spans_are_nothing_to_it():
    guard = new_guard()
    traced = observing(guard)
    with traced.tracer.start_as_current_span("chat gpt", attributes={"gen_ai.operation.name": "chat"}):
        pass
    traced.flushed()
    assert guard.engine.reports == []
    assert guard.contract.narrative_prompt.startswith("Take no risks")  # not even the contract was read


@pytest.mark.parametrize("same", [True, False])
def test_a_call_id_counts_once_in_a_trace_and_anew_in_the_next(same):
    guard = new_guard()
    traced = observing(guard)
    with ExitStack() as around:
        if same:
            around.enter_context(traced.tracer.start_as_current_span("agent"))
        for _ in range(2):
            traced.call("read_file", "x", **{"gen_ai.tool.call.id": "call_0"})
    traced.flushed()
    assert len(guard.engine.reports) == (1 if same else 2)


@pytest.mark.parametrize("late", [False, True], ids=["named at the start", "named at the end"])
def test_a_call_that_two_libraries_record_is_one_and_its_failure_counts(late):
    guard = new_guard()
    traced = observing(guard)
    with traced.tracer.start_as_current_span("pay", attributes={} if late else written("gen_ai", "pay", "1", None)) as outer:
        traced.call("pay", error=ConnectionError("down"), vocabulary="openinference")
        if late:
            outer.set_attributes(written("gen_ai", "pay", "1", "paid"))
    traced.flushed()
    assert guard.engine.reports == [["STRESS_RESPONSE", 0.45]]


def test_calls_of_one_tool_beside_each_other_are_two():
    guard = new_guard()
    traced = observing(guard)
    with traced.tracer.start_as_current_span("tools"):
        traced.call("read_file", "x", target="a")
        traced.call("read_file", "y", target="b")
    traced.flushed()
    assert guard.engine.reports == [["EXPLORATION", 0.5], ["PERCEPTION", 0.5]]


def test_a_span_that_carries_a_verdict_is_left_to_the_adapter_and_so_is_what_is_within_it():
    guard = new_guard()
    traced = observing(guard)

    def ask():
        guard.before_tool("pay", {"target": "1"}, "c1")  # as an adapter does
        traced.call("pay", "paid", vocabulary="openinference")
        with traced.tracer.start_as_current_span("RunnableSequence"):
            traced.call("pay", "paid", vocabulary="traceloop")
        guard.after_tool("pay", "c1", result="paid")

    traced.call("pay", "paid", inside=ask)
    traced.flushed()
    assert guard.engine.reports == [["EXPLORATION", 0.5]]


@pytest.mark.parametrize("call_id", ["c1", "thread-7:c1"])
def test_a_call_that_the_guard_judged_is_not_counted_twice_wherever_its_span_is(call_id):
    guard = new_guard()
    traced = observing(guard)
    guard.before_tool("pay", {"target": "1"}, call_id)
    guard.after_tool("pay", call_id, result="paid")
    traced.call("pay", "paid", **{"gen_ai.tool.call.id": "c1"})
    traced.flushed()
    assert guard.engine.reports == [["EXPLORATION", 0.5]]


@pytest.mark.parametrize(
    ("error", "attributes", "report"),
    [
        (ConnectionError("down"), {}, ["STRESS_RESPONSE", 0.45]),  # though its description has the word timeout
        (TimeoutError("5 s"), {}, ["STRESS_RESPONSE", 0.35]),
        (None, {"error.type": "timeout"}, ["STRESS_RESPONSE", 0.35]),
        (None, {"error.type": "_OTHER"}, ["STRESS_RESPONSE", 0.45]),
        (None, {}, ["EXPLORATION", 0.5]),
    ],
)
def test_errors_come_from_status_exception_and_error_type(error, attributes, report):
    guard = new_guard()
    traced = observing(guard)
    traced.call("pay", "" if error or attributes else "paid", error, **attributes)
    traced.flushed()
    assert guard.engine.reports == [report]


class GraphInterrupt(Exception):
    """As LangGraph's."""


@pytest.mark.parametrize(
    ("error", "status", "attributes"),
    [
        (GraphInterrupt("sure?"), StatusCode.OK, {}),  # by OpenInference
        (GraphInterrupt("sure?"), StatusCode.ERROR, {"error.type": "GraphInterrupt"}),  # by Traceloop
        (None, StatusCode.UNSET, {"pydantic_ai.tool.deferral.name": "ApprovalRequired"}),
    ],
)
def test_a_call_that_waits_for_an_answer_has_neither_worked_nor_failed(error, status, attributes):
    guard = new_guard()
    traced = observing(guard)
    with traced.tracer.start_as_current_span("execute_tool pay", attributes=attributes) as span:
        if error is not None:
            span.record_exception(error)
        span.set_status(status)
    assert guard.engine.reports == []
    traced.call("pay", "paid")
    traced.flushed()
    assert guard.engine.reports == [["EXPLORATION", 0.5]]


def test_an_exception_event_alone_is_an_error_unless_the_status_says_ok():
    guard = new_guard()
    traced = observing(guard)
    for status in (StatusCode.OK, StatusCode.UNSET):
        with traced.tracer.start_as_current_span("execute_tool pay") as span:
            span.record_exception(ValueError("declined"))
            span.set_status(status)
    traced.flushed()
    assert [mode for mode, _ in guard.engine.reports] == ["EXPLORATION", "STRESS_RESPONSE"]


def test_calls_whose_content_nobody_recorded_are_not_taken_for_the_same_call():
    guard = new_guard()
    traced = observing(guard)
    for _ in range(5):
        traced.call("read_file", target=None)
    for _ in range(2):
        traced.call("pay", target=None, error=ConnectionError("down"))
    traced.flushed()
    modes = [["EXPLORATION", 0.5], *[["PERCEPTION", 0.5]] * 4, ["STRESS_RESPONSE", 0.45], ["STRESS_RESPONSE", 0.55]]
    assert guard.engine.reports == modes


def test_the_guard_is_chosen_by_the_name_of_the_agent_or_by_a_function(caplog):
    billing, support = new_guard(), new_guard()
    traced = observing({"billing": billing, "support": support.asynchronous()})
    for name in ("billing", "support", "nobody", "nobody"):
        with traced.tracer.start_as_current_span("agent", attributes={"gen_ai.agent.name": name}):
            traced.call("pay", "paid")
    traced.flushed()
    assert (len(billing.engine.reports), len(support.engine.reports)) == (1, 1)
    assert [record.getMessage() for record in caplog.records if "nobody" in record.getMessage()] == [
        "tool calls of agent 'nobody' are not reported: no guard has that name"
    ]
    traced = observing(lambda span: billing if span.attributes.get("gen_ai.agent.name") == "billing" else None)
    traced.call("pay", "paid", **{"gen_ai.agent.name": "billing"})
    traced.call("pay", "paid")
    traced.flushed()
    assert len(billing.engine.reports) == 2


def test_what_breaks_is_logged_and_the_next_call_is_reported(caplog):
    guard, broken = new_guard(), [True]

    def choose(span):
        if broken.pop() if broken else False:
            raise RuntimeError("a bug")
        return guard

    traced = observing(choose)
    traced.call("pay", "paid")
    traced.call("pay", "paid")
    traced.flushed()
    assert len(guard.engine.reports) == 1
    assert "identity-os-spans failed" in caplog.text


@pytest.mark.parametrize("name", ["on_start", "on_end"])
def test_nothing_is_raised_into_the_program(name, caplog):
    processor = IdentityOSSpanProcessor(new_guard())
    getattr(processor, name)(object())
    assert "a span could not be read" in caplog.text


class Hanging(story.RecordingEngine):
    """An engine that answers when it is let."""

    def __init__(self):
        super().__init__()
        self.asked, self.let = threading.Event(), threading.Event()

    def get_contract(self, *args, **options):
        self.asked.set()
        self.let.wait()
        return super().get_contract(*args, **options)


def test_an_engine_that_hangs_holds_nobody_up_and_the_queue_has_an_end(caplog):
    caplog.set_level(logging.WARNING)
    engine = Hanging()
    traced = observing(Guard(engine, "inst_1", tools=story.TOOLS), queue=3, flush_seconds=0.01)
    traced.call("pay", "paid")
    engine.asked.wait()
    for _ in range(10):
        traced.call("pay", "paid")
    assert traced.processor.dropped == 7
    assert not traced.processor.force_flush(timeout_millis=1)
    assert caplog.text.count("3 wait already") == 1
    engine.let.set()
    assert traced.processor.force_flush()
    assert len(engine.reports) == 4


def test_a_shutdown_waits_so_long_and_no_longer(caplog):
    engine = Hanging()
    traced = observing(Guard(engine, "inst_1", tools=story.TOOLS), flush_seconds=0.01)
    traced.call("pay", "paid")
    engine.asked.wait()
    traced.call("pay", "paid")
    traced.provider.shutdown()
    assert "tool calls are not all reported" in caplog.text
    assert traced.processor.dropped == 1
    engine.let.set()


def test_a_shutdown_reports_what_waits_and_takes_no_more():
    guard = new_guard()
    traced = observing(guard)
    traced.call("pay", "paid")
    traced.provider.shutdown()
    assert len(guard.engine.reports) == 1
    traced.call("pay", "paid")
    assert traced.processor.dropped == 1


def test_a_flush_sends_what_a_guard_that_reports_in_the_background_holds_back():
    guard = new_guard(report="background")
    traced = observing(guard)
    for _ in range(20):
        traced.call("read_file", "x")
    traced.flushed()
    assert len(guard.engine.reports) == 20


def test_spans_that_never_end_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr("identity_os_sdk.integrations.otel._OPEN", 5)
    traced = observing(new_guard())
    spans = [traced.tracer.start_span("endless") for _ in range(20)]
    assert len(traced.processor._open) == 5
    for span in spans:
        span.end()
    assert traced.processor._open == {}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_reports_with_a_thread_of_its_own():
    done = []
    worker = Worker("test", done.append, 10)
    worker.put("parent")
    assert worker.flush(10)
    child = os.fork()
    if child == 0:
        worker.put("child")
        os._exit(0 if worker.flush(10) and done == ["parent", "child"] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_guards_that_a_thread_cannot_call_are_refused():
    class Awaited(story.RecordingEngine):
        async def process(self, *args, **options): ...

    for wrong in (GuardAsync(Awaited(), "inst_1"), {"a": "no guard"}, object()):
        with pytest.raises(ConfigurationError, match="takes a Guard over IdentityOS"):
            IdentityOSSpanProcessor(wrong)
    with pytest.raises(ConfigurationError, match="queue=0"):
        IdentityOSSpanProcessor(new_guard(), queue=0)


def test_a_guard_without_telemetry_loads_no_opentelemetry():
    program = (
        "import sys; from identity_os_sdk import Guard; from identity_os_sdk.local import LocalEngine;"
        "Guard(LocalEngine(':memory:'), 'a').before_tool('pay', {}, 'c');"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
