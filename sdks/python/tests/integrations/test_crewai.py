"""The adapter for CrewAI, in real crews with a model that plays a script."""

import asyncio
import io
import json
import os
import re
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest
import story

os.environ |= {"CREWAI_DISABLE_TELEMETRY": "true", "OTEL_SDK_DISABLED": "true", "CREWAI_TRACING_ENABLED": "false"}
with warnings.catch_warnings():
    # CrewAI warns of itself while it is imported, and here a warning is an error.
    warnings.simplefilter("ignore")
    import crewai  # noqa: F401

from crewai import Agent, BaseLLM, Crew, Task
from crewai.hooks import (
    get_after_tool_call_hooks,
    get_before_llm_call_hooks,
    get_before_tool_call_hooks,
    register_before_tool_call_hook,
    unregister_before_tool_call_hook,
)
from crewai.tools import BaseTool, ToolFailure
from identity_os_sdk.guard import Guard
from identity_os_sdk.integrations.crewai import IdentityOSHooks
from identity_os_sdk.local import LocalEngine

# What the framework does to itself.
pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning")]
PAGE = (Path(__file__).resolve().parents[4] / "docs/integrations/crewai.md").read_text()

PAUSES = {"should_pause": True, "pause_reason": "tired"}
DENIES = {"allowed_actions": ["clarify"]}


class Scripted(BaseLLM):
    """A model that makes the given calls, a list of them a turn, then says "done", and remembers each request.

    `native`: function calls as providers have them; without it CrewAI's text format, Action and Action Input.
    """

    turns: list = []
    requests: list = []
    native: bool = True

    def supports_function_calling(self):
        return self.native

    def call(self, messages, *args, **kwargs):
        self.requests.append([dict(message) for message in messages])
        turn, made = (self.turns.pop(0) if self.turns else []), len(self.requests)
        if not turn:
            return "done" if self.native else "Thought: I now know the final answer\nFinal Answer: done"
        if not self.native:
            ((name, args),) = turn
            return f"Thought: I need it\nAction: {name}\nAction Input: {json.dumps(args)}"
        return [
            {"id": f"call-{made}-{n}", "type": "function", "function": {"name": name, "arguments": json.dumps(args)}}
            for n, (name, args) in enumerate(turn)
        ]

    async def acall(self, messages, *args, **kwargs):
        return self.call(messages, *args, **kwargs)

    def results(self):
        """What the model was told of each call, in the calls' order."""
        return [message["content"] for message in self.requests[-1] if message["role"] == "tool"]


class Engine(LocalEngine):
    """Remembers the reports, and its contracts can be changed."""

    def __init__(self, **changes):
        super().__init__(":memory:")
        self.changes, self.reports, self.broken = changes, [], False

    def get_contract(self, instance_id):
        return super().get_contract(instance_id).model_copy(update=self.changes)

    def process(self, instance_id, *args, **report):
        if self.broken:
            raise ConnectionError("no engine")
        self.reports.append((instance_id, report["context"]))
        processed = super().process(instance_id, *args, **report)
        return processed.model_copy(update={"contract": self.get_contract(instance_id)})

    def outcomes(self, instance_id=None):
        return [context["outcome"] for agent, context in self.reports if "outcome" in context and instance_id in (None, agent)]


@pytest.fixture(autouse=True)
def _leaves_nothing_behind(tmp_path, monkeypatch):
    # CrewAI keeps each crew's outputs in a file of the user, unless it is given another folder.
    monkeypatch.setenv("CREWAI_STORAGE_DIR", str(tmp_path))
    yield
    assert not [*get_before_tool_call_hooks(), *get_after_tool_call_hooks(), *get_before_llm_call_hooks()]


class Play(BaseTool):
    """A tool that does what the test says."""

    run_it: object = None
    description: str = "Does it."

    def _run(self, target: str) -> object:
        return self.run_it(self.name, target)


def echo(name, target):
    return f"{name} {target}"


def agent_of(turns, run=echo, role="support", native=True, tools=("refund", "look_up"), **more):
    model = Scripted(model="scripted", turns=list(turns), requests=[], native=native)
    made = [Play(name=name, run_it=run) for name in tools]
    return Agent(role=role, goal="Help.", backstory="Kind.", llm=model, tools=made, **more)


def crew_of(*agents, **more):
    tasks = [Task(description="Do it.", expected_output="It is done.", agent=agent) for agent in agents]
    return Crew(agents=list(agents), tasks=tasks, **more)


def play(script, guard):
    turns = [[(call.tool, call.args)] for call in script.calls]
    agent = agent_of(turns, lambda name, target: script.run(name, {"target": target}), tools=script.tools)
    ask = lambda *_: {"decision": script.decisions.pop(0), "by": "ops@example.test"}  # noqa: E731
    with IdentityOSHooks(guard, ask=ask):
        crew_of(agent).kickoff()
    return agent.llm.results()


test_conformance = story.cases(play)
test_table = story.table_row("crewai", play)
test_against_the_api = story.against_the_api(play)


def test_two_agents_at_once():
    team = {}

    def play_by_role(script, guard):
        turns = [[(call.tool, call.args)] for call in script.calls]
        run = lambda name, target: script.run(name, {"target": target})  # noqa: E731
        agent = agent_of(turns, run, role=guard.instance_id, tools=script.tools)
        team[guard.instance_id] = guard
        crew_of(agent).kickoff()
        return agent.llm.results()

    with IdentityOSHooks(team):
        story.two_at_once(play_by_role)()


@pytest.mark.parametrize("native", [True, False])
def test_the_model_sees_the_contract_once_and_as_it_is_now(native):
    engine = Engine(narrative_prompt="Be calm.")
    guard = Guard(engine, "a")
    guard.user_said("Hello")

    def run(name, target):
        engine.changes["narrative_prompt"] = "Be careful."

    agent = agent_of([[("refund", {"target": "7"})]], run, native=native)
    with IdentityOSHooks(guard):
        crew_of(agent).kickoff()
    first, second = (request[0] for request in agent.llm.requests)
    assert first["role"] == second["role"] == "system"
    assert "<identity_os>\nBe calm.\n</identity_os>" in first["content"]
    assert "<identity_os>\nBe careful.\n</identity_os>" in second["content"]
    assert "Be calm." not in second["content"]


def test_without_a_system_message_the_first_message_has_the_contract():
    guard = Guard(Engine(narrative_prompt="Be calm."), "a")
    guard.user_said("Hello")
    agent = agent_of([], use_system_prompt=False, native=False)
    with IdentityOSHooks(guard):
        crew_of(agent).kickoff()
    (request,) = agent.llm.requests
    assert [message["role"] for message in request] == ["user"]
    assert request[0]["content"].endswith("<identity_os>\nBe calm.\n</identity_os>")


def test_a_denied_call_does_not_run_and_the_model_learns_why():
    ran, engine = [], Engine(**DENIES)
    agent = agent_of([[("refund", {"target": "7"})], [("look_up", {"target": "8"})]], lambda *call: ran.append(call) or "fine")
    with IdentityOSHooks(Guard(engine, "a", {"look_up": "clarify"})):
        crew_of(agent).kickoff()
    assert ran == [("look_up", "8")]
    denied, read = agent.llm.results()
    assert denied.startswith("refund is not allowed now")
    assert read == "fine"
    assert engine.outcomes() == ["denied", "worked"]


def test_a_denied_call_in_the_text_format_does_not_run_either():
    ran = []
    agent = agent_of([[("refund", {"target": "7"})]], lambda *call: ran.append(call) or "fine", native=False)
    with IdentityOSHooks(Guard(Engine(**DENIES), "a")):
        crew_of(agent).kickoff()
    assert ran == []
    assert "Observation: refund is not allowed now" in agent.llm.requests[-1][2]["content"]


def fails(name, target):
    raise RuntimeError("no connection")


@pytest.mark.parametrize("native", [True, False])
def test_an_exception_is_one_failure_however_often_crewai_tries(native):
    engine = Engine()
    agent = agent_of([[("refund", {"target": "7"})]], fails, native=native)
    with IdentityOSHooks(Guard(engine, "a")):
        crew_of(agent).kickoff()
    assert engine.outcomes() == ["failed"]


def times_out(name, target):
    raise TimeoutError


@pytest.mark.parametrize(
    ("run", "outcome"),
    [
        (fails, "failed"),
        (times_out, "failed"),
        (lambda *_: ToolFailure(message="no such order", code="404"), "failed"),
        (lambda *_: "Error is what this page is about.", "worked"),
        (lambda *_: {"status": "fine"}, "worked"),
        (lambda *_: "", "worked"),
    ],
)
def test_what_counts_as_a_failure(run, outcome):
    engine = Engine()
    with IdentityOSHooks(Guard(engine, "a")):
        crew_of(agent_of([[("refund", {"target": "7"})]], run)).kickoff()
    assert engine.outcomes() == [outcome]


def test_a_tool_that_does_not_exist_is_a_failure():
    engine = Engine()
    with IdentityOSHooks(Guard(engine, "a")):
        crew_of(agent_of([[("pay_out", {"target": "7"})]])).kickoff()
    assert engine.outcomes() == ["failed"]


def test_a_person_approves_one_call_and_refuses_the_next():
    ran, engine, answers, asked = [], Engine(**PAUSES), ["approve", "refuse"], []

    def ask(verdict, context):
        asked.append((verdict.message, dict(context.tool_input)))
        return {"decision": answers.pop(0), "by": "ops@example.test"}

    turns = [[("refund", {"target": "7"})], [("refund", {"target": "8"})]]
    agent = agent_of(turns, lambda *call: ran.append(call) or "paid")
    with IdentityOSHooks(Guard(engine, "a"), ask=ask):
        crew_of(agent).kickoff()
    assert ran == [("refund", "7")]
    assert [arguments for _, arguments in asked] == [{"target": "7"}, {"target": "8"}]
    assert "tired" in asked[0][0]
    approved, refused = agent.llm.results()
    assert approved == "paid"
    assert "refused by a person (ops@example.test)" in refused
    assert engine.outcomes() == ["approved", "worked"]


def test_a_person_is_asked_about_one_call_at_a_time():
    asking, most = [], []

    def ask(verdict, context):
        asking.append(verdict)
        most.append(len(asking))
        time.sleep(0.05)
        asking.pop()
        return "approve"

    agent = agent_of([[("refund", {"target": str(n)}) for n in range(3)]])
    with IdentityOSHooks(Guard(Engine(**PAUSES), "a"), ask=ask):
        crew_of(agent).kickoff()
    assert most == [1, 1, 1]
    assert agent.llm.results() == ["refund 0", "refund 1", "refund 2"]


@pytest.mark.parametrize("answer", ["refuse", "yes", "", 1, {"by": "ops"}, False])
def test_what_is_no_approval_is_a_refusal(answer):
    ran = []
    agent = agent_of([[("refund", {"target": "7"})]], lambda *call: ran.append(call) or "paid")
    with IdentityOSHooks(Guard(Engine(**PAUSES), "a"), ask=lambda *_: answer):
        crew_of(agent).kickoff()
    assert ran == []
    assert "refused" in agent.llm.results()[0]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("typed", "runs"), [("approve\n", True), ("Approve\n", True), ("\n", False), ("no\n", False), ("", False)]
)
def test_on_a_terminal_a_person_is_asked_there(monkeypatch, typed, runs):
    ran = []
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    agent = agent_of([[("refund", {"target": "7"})]], lambda *call: ran.append(call) or "paid")
    with IdentityOSHooks(Guard(Engine(**PAUSES), "a")):
        crew_of(agent).kickoff()
    assert bool(ran) is runs


def test_without_a_terminal_a_pause_is_a_denial_and_a_person_can_let_the_next_calls_through():
    ran = []
    guard = Guard(Engine(**PAUSES), "a", {"look_up": "clarify"})
    paused = []
    guard.on("paused", paused.append)

    def run(name, target):
        if name == "look_up":
            guard.approve(paused[0]["call_id"], "ops@example.test", minutes=5)
        return ran.append((name, target)) or "fine"

    agent = agent_of([[("refund", {"target": "7"})], [("look_up", {"target": "8"})], [("refund", {"target": "9"})]], run)
    with IdentityOSHooks(guard):
        crew_of(agent).kickoff()
    assert ran == [("look_up", "8"), ("refund", "9")]
    assert "waits for a person" in agent.llm.results()[0]


def test_crewai_runs_the_tool_when_a_hook_raises():
    """Why the adapter catches everything: were this to change, it would not need to."""
    ran = []

    def broken(context):
        raise RuntimeError("broken")

    register_before_tool_call_hook(broken)
    try:
        crew_of(agent_of([[("refund", {"target": "7"})]], lambda *call: ran.append(call) or "paid")).kickoff()
    finally:
        unregister_before_tool_call_hook(broken)
    assert ran == [("refund", "7")]


class Broken:
    def __getattr__(self, name):
        raise RuntimeError("broken")


def raises(*_):
    raise RuntimeError("broken")


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize(
    "hooks", [lambda: IdentityOSHooks(Broken()), lambda: IdentityOSHooks(Guard(Engine(**PAUSES), "a"), ask=raises)]
)
def test_ours_denies_when_it_breaks(hooks, native):
    ran = []
    agent = agent_of([[("refund", {"target": "7"})]], lambda *call: ran.append(call) or "paid", native=native)
    with hooks():
        crew_of(agent).kickoff()
    assert ran == []
    assert "refund is not allowed now: the guard failed." in str(agent.llm.requests[-1])


def test_a_guard_that_must_be_awaited_is_refused_at_once():
    guard = Guard(Engine(), "a").asynchronous()
    for wrong in (guard, {"support": guard}):
        with pytest.raises(TypeError, match="synchronous"):
            IdentityOSHooks(wrong)


def test_an_engine_that_does_not_answer_ends_no_run():
    engine = Engine()
    engine.broken = True
    agent = agent_of([[("look_up", {"target": "7"})]])
    with IdentityOSHooks(Guard(engine, "a", {"look_up": "clarify"})):
        crew_of(agent).kickoff()
    assert agent.llm.results() == ["look_up 7"]


def test_what_another_hook_blocks_is_not_reported():
    engine = Engine()

    def block(context):
        return False

    with IdentityOSHooks(Guard(engine, "a")):
        register_before_tool_call_hook(block)
        try:
            crew_of(agent_of([[("refund", {"target": "7"})]])).kickoff()
        finally:
            unregister_before_tool_call_hook(block)
    assert engine.outcomes() == []


def test_each_agent_has_its_guard_by_its_role():
    engine = Engine()
    researcher = agent_of([[("look_up", {"target": "7"})]], role="Researcher of {topic}")
    cashier = agent_of([[("refund", {"target": "8"})]], role="Cashier")
    with IdentityOSHooks({"Researcher of {topic}": Guard(engine, "r"), "Cashier": Guard(engine, "c")}):
        crew_of(researcher, cashier).kickoff(inputs={"topic": "refunds"})
    assert [(agent, context["tool"]) for agent, context in engine.reports] == [("r", "look_up"), ("c", "refund")]


@pytest.mark.parametrize(("guards", "runs"), [({}, False), ({"support": None}, True)])
def test_an_agent_without_a_guard_can_call_no_tool_unless_that_is_said(guards, runs):
    ran = []
    with IdentityOSHooks(guards):
        crew_of(agent_of([[("refund", {"target": "7"})]], lambda *call: ran.append(call) or "paid")).kickoff()
    assert bool(ran) is runs


def test_calls_side_by_side_in_threads_are_not_mixed_up():
    engine, meet = Engine(), threading.Barrier(3, timeout=20)

    def run(name, target):
        meet.wait()
        if target == "1":
            raise RuntimeError("no connection")
        return target

    agent = agent_of([[("look_up", {"target": str(n)}) for n in range(3)]], run)
    with IdentityOSHooks(Guard(engine, "a", {"look_up": "clarify"})):
        crew_of(agent).kickoff()
    assert agent.llm.results() == ["0", "Error executing tool: no connection", "2"]
    assert sorted(engine.outcomes()) == ["failed", "worked", "worked"]


@pytest.mark.parametrize("start", ["kickoff_async", "akickoff"])
def test_asynchronous_crews_are_guarded(start):
    ran, engine = [], Engine(**DENIES)
    agent = agent_of([[("refund", {"target": "7"})]], lambda *call: ran.append(call) or "paid")
    with IdentityOSHooks(Guard(engine, "a")):
        asyncio.run(getattr(crew_of(agent), start)())
    assert ran == []
    assert agent.llm.results()[0].startswith("refund is not allowed now")
    assert engine.outcomes() == ["denied"]


def test_an_agent_without_a_crew_is_guarded():
    ran = []
    agent = agent_of([[("refund", {"target": "7"})]], lambda *call: ran.append(call) or "paid")
    with IdentityOSHooks(Guard(Engine(**DENIES), "a")):
        agent.kickoff("Do it.")
    assert ran == []
    assert agent.llm.results()[0].startswith("refund is not allowed now")


@pytest.mark.parametrize("number", range(3))
def test_the_programs_of_the_page_run(number):
    programs = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    done = subprocess.run([sys.executable, "-c", programs[number]], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert ("refund is not allowed now" in done.stdout) is (number == 1)
    assert len(programs) == 3
