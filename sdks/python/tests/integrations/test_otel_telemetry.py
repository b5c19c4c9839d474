"""The guard's verdicts as spans and metrics. The names are those of the tables in docs/integrations/otel.md."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest
import story
from identity_os_sdk import Guard, GuardAsync
from identity_os_sdk.integrations.otel import IdentityOSSpanProcessor, instrument
from identity_os_sdk.local import LocalEngine
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

PAGE = (Path(__file__).resolve().parents[4] / "docs" / "integrations" / "otel.md").read_text()


def programs(page):
    """The programs of a page with what they print."""
    return re.findall(r"```python\n((?:(?!```).)*?)```\n+```text\n(.*?)```", page, re.DOTALL)


@pytest.mark.parametrize("number", range(2), ids=["observing", "telemetry"])
def test_the_programs_of_the_page_print_what_it_shows(number):
    program, shown = programs(PAGE)[number]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (shown, "")


class Seen:
    """What an instrumented guard wrote."""

    def __init__(self, guard=None, **options):
        self.exporter, self.reader, self.tracers = InMemorySpanExporter(), InMemoryMetricReader(), TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.meters = MeterProvider([self.reader])
        self.tracer = self.tracers.get_tracer("test")
        self.guard = guard or Guard(story.RecordingEngine(), "inst_1", tools=story.TOOLS, **options)
        self.instrument()

    def instrument(self):
        instrument(self.guard, tracer_provider=self.tracers, meter_provider=self.meters)

    def spans(self, name="identity_os.verdict"):
        return [span for span in self.exporter.get_finished_spans() if span.name == name]

    def last(self):
        return dict(self.spans()[-1].attributes)

    def metrics(self):
        """The points of each metric, by their attributes."""
        found = {}
        data = self.reader.get_metrics_data()
        for each in (one for of in data.resource_metrics for scope in of.scope_metrics for one in scope.metrics):
            for point in each.data.data_points:
                value = point.value if hasattr(point, "value") else point.count
                found.setdefault(each.name, {})[tuple(sorted(point.attributes.items()))] = value
        return found

    def fail(self, times=3, tool="pay"):
        for number in range(times):
            if self.guard.before_tool(tool, {"target": "1"}, f"{tool}-{number}").allowed:
                self.guard.after_tool(tool, f"{tool}-{number}", error="the backend is down")


def test_a_trace_shows_why_a_call_was_denied():
    seen = Seen()
    seen.fail()
    known, state = seen.guard.contract, seen.guard.core.snapshot
    verdict = seen.guard.before_tool("pay", {"target": "1"}, "pay-3")
    assert [span.attributes["identity_os.verdict"] for span in seen.spans()] == ["allow", "allow", "allow", "deny"]
    assert state.cycle == 3
    assert seen.last() == {
        "identity_os.verdict": "deny",
        "identity_os.action": "execute",
        "identity_os.reason": "execute is not allowed while stress is HIGH",
        "identity_os.trace": verdict.trace,
        "identity_os.instance.id": "inst_1",
        # As the guard knew it when it decided; the denial is reported after that.
        "identity_os.stress.state": "HIGH",
        "identity_os.stress.strength": state.mode_strengths["STRESS_RESPONSE"],
        "identity_os.energy": known.energy_level,
        "identity_os.trust": known.trust,
        "identity_os.cycle": 3,
        "gen_ai.tool.name": "pay",
        "gen_ai.tool.call.id": "pay-3",
        "gen_ai.agent.name": "inst_1",
    }


def test_before_the_engine_has_answered_nothing_is_said_of_its_state():
    engine = story.RecordingEngine()
    engine.away = True
    seen = Seen(Guard(engine, "inst_1", tools=story.TOOLS))
    seen.guard.before_tool("pay", {}, "c1")
    assert seen.last()["identity_os.verdict"] == "deny"
    assert not [name for name in seen.last() if re.search("stress|energy|trust|cycle", name)]


def test_a_contract_that_came_without_a_state_says_nothing_of_strength_and_cycle():
    engine = story.RecordingEngine()
    seen = Seen(Guard(engine, "inst_1", tools=story.TOOLS))
    seen.fail()
    seen.guard.before_tool("pay", {}, "held")
    assert "identity_os.cycle" in seen.last()
    engine.reset("inst_1", "initial")  # somebody else's decision: the next contract is read, not answered
    seen.guard.before_tool("pay", {}, "c9")
    assert seen.last()["identity_os.stress.state"] == "LOW"
    assert not {"identity_os.cycle", "identity_os.stress.strength"} & set(seen.last())


def test_the_span_of_the_tool_carries_the_verdict_and_no_other_span_does():
    seen = Seen()
    with seen.tracer.start_as_current_span("invoke_agent a", attributes={"gen_ai.operation.name": "invoke_agent"}):
        seen.guard.before_tool("read_file", {}, "c1")
        with seen.tracer.start_as_current_span("execute_tool pay", attributes={"gen_ai.operation.name": "execute_tool"}):
            seen.guard.before_tool("pay", {}, "c2")
    [agent], [tool] = seen.spans("invoke_agent a"), seen.spans("execute_tool pay")
    assert not [name for name in agent.attributes if name.startswith("identity_os")]
    assert tool.attributes["identity_os.verdict"] == "allow"
    assert tool.attributes["identity_os.action"] == "execute"
    of_read, of_pay = seen.spans()
    assert of_read.parent.span_id == agent.context.span_id
    assert of_pay.parent.span_id == tool.context.span_id


def test_a_verdict_is_counted_by_kind_and_action_and_its_time_measured():
    seen = Seen()
    seen.fail()
    for number in range(2):
        seen.guard.before_tool("pay", {}, f"c{number}")
        seen.guard.before_tool("pay", {}, f"c{number}")  # a framework that asks twice
    seen.guard.before_tool("read_file", {}, "r")
    found = seen.metrics()

    def by(kind, **more):
        return tuple(sorted({"identity_os.verdict": kind, "gen_ai.agent.name": "inst_1", **more}.items()))

    assert found["identity_os.verdicts"] == {
        by("allow", **{"identity_os.action": "execute"}): 3,
        by("allow", **{"identity_os.action": "clarify"}): 1,
        by("deny", **{"identity_os.action": "execute"}): 2,
    }
    assert found["identity_os.decision.duration"] == {by("allow"): 4, by("deny"): 2}
    assert found["identity_os.energy"] == {(("gen_ai.agent.name", "inst_1"),): seen.guard.contract.energy_level}
    strength = seen.guard.core.snapshot.mode_strengths["STRESS_RESPONSE"]
    assert found["identity_os.stress"] == {(("gen_ai.agent.name", "inst_1"),): strength}
    begun = [span.end_time - span.start_time for span in seen.spans()]
    assert all(time >= 0 for time in begun)


def test_what_a_person_decides_is_a_verdict_with_a_name():
    seen = Seen()
    seen.fail()
    for number in range(9):
        if seen.guard.before_tool("pay", {}, f"c{number}").kind == "pause":
            break
    assert seen.last()["identity_os.verdict"] == "pause"
    seen.guard.approve(f"c{number}", "ops@example.test")
    assert (seen.last()["identity_os.verdict"], seen.last()["identity_os.decided_by"]) == ("allow", "ops@example.test")
    seen.guard.after_tool("pay", f"c{number}", error="down")
    for number in range(10, 19):
        if seen.guard.before_tool("pay", {}, f"c{number}").kind == "pause":
            break
    seen.guard.refuse(f"c{number}", "ops@example.test")
    assert (seen.last()["identity_os.verdict"], seen.last()["identity_os.decided_by"]) == ("deny", "ops@example.test")
    seen.guard.approve("unknown", "ops@example.test")
    assert seen.last()["identity_os.reason"] == "there is no paused call of this id"


def test_in_observe_mode_the_verdict_is_allow_and_says_what_it_would_have_been():
    seen = Seen(mode="observe")
    seen.fail(4)
    assert (seen.last()["identity_os.verdict"], seen.last()["identity_os.would_have"]) == ("allow", "deny")
    assert seen.last()["identity_os.reason"] == "execute is not allowed while stress is HIGH"
    assert [value for key, value in seen.metrics()["identity_os.verdicts"].items() if ("identity_os.would_have", "deny") in key]


def test_a_guard_that_breaks_writes_a_denial(monkeypatch):
    seen = Seen()
    monkeypatch.setattr(seen.guard.core, "_judge", lambda *_: 1 / 0)
    assert seen.guard.before_tool("pay", {}, "c1").kind == "deny"
    assert seen.last()["identity_os.reason"] == "the guard failed"


def test_telemetry_that_breaks_breaks_no_call(monkeypatch, caplog):
    seen = Seen()
    monkeypatch.setattr("identity_os_sdk.telemetry.attributes_of", lambda *_: 1 / 0)
    assert seen.guard.before_tool("pay", {}, "c1").allowed
    assert "a callback failed" in caplog.text


def test_an_awaited_guard_writes_the_same_and_nobody_twice():
    seen = Seen(GuardAsync(story.RecordingEngine(), "inst_1", tools=story.TOOLS))
    seen.instrument()

    async def work():
        with seen.tracer.start_as_current_span("execute_tool pay", attributes={"gen_ai.operation.name": "execute_tool"}):
            await seen.guard.before_tool("pay", {}, "c1")

    asyncio.run(work())
    assert len(seen.spans()) == 1
    assert seen.spans("execute_tool pay")[0].attributes["identity_os.verdict"] == "allow"


def test_the_agent_of_a_guard_that_was_opened_has_its_name():
    seen = Seen(Guard.open(LocalEngine(":memory:"), "support-bot"))
    seen.guard.before_tool("get_order", {}, "c1")
    assert seen.last()["gen_ai.agent.name"] == "support-bot"
    assert seen.last()["identity_os.instance.id"] == seen.guard.instance_id


def test_telemetry_true_uses_the_programs_own_providers(monkeypatch):
    seen = Seen()
    monkeypatch.setattr(trace, "get_tracer", lambda *_, **__: seen.tracer)
    monkeypatch.setattr(metrics, "get_meter", lambda *_, **__: seen.meters.get_meter("test"))
    Guard(story.RecordingEngine(), "another", telemetry=True).before_tool("pay", {}, "c1")
    assert seen.last()["identity_os.instance.id"] == "another"


def test_the_verdict_on_a_call_that_was_only_seen_stands_below_its_span_and_is_not_observed_again():
    seen = Seen()
    processor = IdentityOSSpanProcessor(seen.guard)
    seen.tracers.add_span_processor(processor)
    seen.fail()
    with seen.tracer.start_as_current_span(
        "execute_tool pay", attributes={"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "pay"}
    ):
        pass
    assert processor.force_flush()
    [tool] = seen.spans("execute_tool pay")
    assert seen.last()["identity_os.would_have"] == "deny"
    assert seen.spans()[-1].parent.span_id == tool.context.span_id
    assert len(seen.guard.engine.reports) == 4


def names(heading):
    return set(re.findall(r"^\| `([\w.]+)` \|", PAGE.partition(f"## {heading}")[2].partition("\n## ")[0], re.MULTILINE))


def test_the_tables_name_what_is_written_and_nothing_else():
    seen = Seen()
    seen.fail()
    for number in range(9):
        if seen.guard.before_tool("pay", {}, f"c{number}").kind == "pause":
            seen.guard.approve(f"c{number}", "ops@example.test")
            break
    observing = Seen(mode="observe")
    observing.fail(4)
    written = {name for one in (seen, observing) for span in one.spans() for name in span.attributes}
    assert names("Attributes of a verdict") == written
    assert names("Metrics") == set(seen.metrics())
