"""The adapter for Google's Agent Development Kit, in a real Runner with a model that plays a script."""

import asyncio
import functools
import inspect
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import story
from fastapi.openapi.models import APIKey
from google.adk.agents import Agent
from google.adk.apps import App
from google.adk.auth import AuthConfig, AuthCredential, AuthCredentialTypes
from google.adk.models import BaseLlm, LlmResponse
from google.adk.runners import InMemoryRunner, Runner
from google.adk.tools import FunctionTool, ToolContext
from google.adk.tools.agent_tool import AgentTool
from google.adk.workflow import START, Workflow
from google.genai import types
from identity_os_sdk.guard import Guard
from identity_os_sdk.integrations.google_adk import IdentityOSPlugin
from identity_os_sdk.local import LocalEngine
from pydantic import BaseModel, Field

# What the framework does to itself.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*EXPERIMENTAL:UserWarning"),
]
PAGE = (Path(__file__).resolve().parents[4] / "docs/integrations/google_adk.md").read_text()

CONFIRM = "adk_request_confirmation"


class Scripted(BaseLlm):
    """A model that makes the given calls, a list of them a turn, then says "done", and remembers each request."""

    model: str = "scripted"
    turns: list = []
    requests: list = []

    async def generate_content_async(self, llm_request, stream=False):
        self.requests.append(llm_request.model_copy(deep=True, update={"tools_dict": {}}))
        turn, made = (self.turns.pop(0) if self.turns else []), len(self.requests)
        calls = [types.FunctionCall(id=f"{self.model}-{made}-{n}", name=name, args=args) for n, (name, args) in enumerate(turn)]
        parts = [types.Part(function_call=call) for call in calls] or [types.Part(text="done")]
        yield LlmResponse(content=types.Content(role="model", parts=parts))

    def results(self):
        """What the model was told of each call, in the calls' order."""
        told = {}
        for part in (part for request in self.requests for content in request.contents for part in content.parts):
            if part.function_call:
                told.setdefault(part.function_call.id, None)
            elif part.function_response:
                told[part.function_response.id] = next(iter(part.function_response.response.values()))
        return list(told.values())


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


PAUSES = {"should_pause": True, "pause_reason": "tired"}
DENIES = {"allowed_actions": ["clarify"]}


def tool(name, run):
    def call(target: str) -> str:
        return run(name, target)

    call.__name__, call.__doc__ = name, f"The tool {name}."
    return call


def echo(name, target):
    return f"{name} {target}"


def fail(name, target):
    raise RuntimeError("no connection")


def tell_the_model(tool, args, tool_context, error):
    """The usual way of ADK: without it an exception of a tool ends the run."""
    return {"error": str(error)}


def agent_of(turns, run=echo, name="support", tools=("refund", "look_up"), **more):
    model = Scripted(model=name, turns=list(turns), requests=[])
    made = [one if not isinstance(one, str) else tool(one, run) for one in tools]
    return Agent(name=name, model=model, instruction="Be kind.", tools=made, **more)


async def conversation(runner, answers=(), text="Hello", session_id=None, by="ops@example.test"):
    """Run until the agent is done, and answer each request for confirmation with the next of `answers`; what was asked."""
    if session_id is None:
        session_id = (await runner.session_service.create_session(app_name=runner.app_name, user_id="ann")).id
    answers, asked, message = list(answers), [], types.UserContent(text) if text else None
    while message is not None:
        requests = []
        async for event in runner.run_async(user_id="ann", session_id=session_id, new_message=message):
            requests += [call for call in event.get_function_calls() if call.name == CONFIRM]
        asked += requests
        message = answer(requests, answers, by) if answers else None
    return asked


def answer(requests, answers, by):
    parts = []
    for request in requests:
        response = {"confirmed": answers.pop(0) == "approve", **({"payload": {"by": by}} if by else {})}
        parts.append(types.Part(function_response=types.FunctionResponse(id=request.id, name=CONFIRM, response=response)))
    return types.Content(role="user", parts=parts) if parts else None


def runner_of(agent, guard, **options):
    return InMemoryRunner(app=App(name="app", root_agent=agent, plugins=[IdentityOSPlugin(guard, **options)]))


def play(script, guard):
    turns = [[(call.tool, call.args)] for call in script.calls]
    run = lambda name, target: script.run(name, {"target": target})  # noqa: E731
    agent = agent_of(turns, run, tools=script.tools, on_tool_error_callback=tell_the_model)
    asyncio.run(conversation(runner_of(agent, guard), script.decisions))
    return agent.model.results()


test_conformance = story.cases(play)
test_table = story.table_row("google_adk", play)
test_against_the_api = story.against_the_api(play)
test_two_agents_at_once = story.two_at_once(play)


def synchronous(test):
    @functools.wraps(test)
    def run(*args, **kwargs):
        return asyncio.run(test(*args, **kwargs))

    run.__signature__ = inspect.signature(test)
    return run


@synchronous
async def test_the_model_sees_the_contract_in_its_system_instruction_as_it_is_now():
    engine = Engine(narrative_prompt="Calm.")
    agent = agent_of([[("refund", {"target": "7"})]], lambda *_: engine.changes.update(narrative_prompt="Careful."))
    await conversation(runner_of(agent, Guard(engine, "a"), messages=True))
    first, second = (request.config.system_instruction for request in agent.model.requests)
    assert first.startswith("Be kind.")
    assert first.endswith("Calm.")
    assert second.endswith("Careful.")
    assert "Calm." not in second


@synchronous
async def test_a_denied_call_does_not_run_and_the_run_goes_on():
    ran, engine = [], Engine(**DENIES)
    agent = agent_of([[("refund", {"target": "7"})], [("look_up", {"target": "8"})]], lambda *call: ran.append(call) or "fine")
    await conversation(runner_of(agent, Guard(engine, "a", {"look_up": "clarify"})))
    assert ran == [("look_up", "8")]
    denied, read = agent.model.results()
    assert "refund is not allowed now" in denied
    assert read == "fine"
    assert engine.outcomes() == ["denied", "worked"]


@synchronous
async def test_a_failure_is_reported_once_though_adk_calls_two_hooks():
    engine = Engine()

    agent = agent_of([[("refund", {"target": "7"})]], fail, on_tool_error_callback=tell_the_model)
    await conversation(runner_of(agent, Guard(engine, "a")))
    assert agent.model.results() == ["no connection"]
    assert engine.outcomes() == ["failed"]
    assert [context["error_class"] for _, context in engine.reports if "error_class" in context] == ["RuntimeError"]


@synchronous
async def test_a_call_that_is_cancelled_says_nothing_about_the_agent():
    engine = Engine()

    async def look_up(target: str) -> str:
        await asyncio.sleep(60)

    async def refund(target: str) -> str:
        await asyncio.sleep(0.05)
        raise RuntimeError("no connection")

    agent = agent_of([[("look_up", {"target": "8"}), ("refund", {"target": "7"})]], tools=[look_up, refund])
    with pytest.raises(RuntimeError, match="no connection"):
        await conversation(runner_of(agent, Guard(engine, "a")))
    assert [(context["tool"], context["outcome"]) for _, context in engine.reports] == [("refund", "failed")]


@synchronous
async def test_a_tool_that_asks_for_credentials_has_not_run():
    engine = Engine()

    def look_up(target: str, tool_context: ToolContext) -> str:
        key = APIKey(**{"in": "header", "name": "X-Key"})
        credential = AuthCredential(auth_type=AuthCredentialTypes.API_KEY)
        tool_context.request_credential(AuthConfig(auth_scheme=key, raw_auth_credential=credential))
        return "Wait for the key."

    agent = agent_of([[("look_up", {"target": "7"})]], tools=[look_up])
    await conversation(runner_of(agent, Guard(engine, "a", {"look_up": "clarify"})))
    assert engine.outcomes() == []


@synchronous
async def test_an_exception_that_nobody_handles_is_reported_and_still_ends_the_run():
    engine = Engine()

    with pytest.raises(RuntimeError, match="no connection"):
        await conversation(runner_of(agent_of([[("refund", {"target": "7"})]], fail), Guard(engine, "a")))
    assert engine.outcomes() == ["failed"]


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        ({"status": "error", "error_message": "no such order"}, "failed"),
        ({"error": "no such order"}, "failed"),
        ({"isError": True, "content": [{"text": "no such order"}]}, "failed"),
        ({"status": "success", "error": None}, "worked"),
        ({"message": "sent"}, "worked"),
        ("error", "worked"),
        (None, "worked"),
        (["error"], "worked"),
    ],
)
@synchronous
async def test_a_result_that_tells_of_an_error_is_a_failure(result, outcome):
    engine = Engine()
    await conversation(runner_of(agent_of([[("refund", {"target": "7"})]], lambda *_: result), Guard(engine, "a")))
    assert engine.outcomes() == [outcome]


@synchronous
async def test_a_pause_ends_the_run_until_a_person_approves_or_refuses():
    ran, engine = [], Engine(**PAUSES)
    agent = agent_of([[("refund", {"target": "7"})], [("refund", {"target": "8"})]], lambda *call: ran.append(call) or "paid")
    runner = runner_of(agent, Guard(engine, "a"))
    asked = await conversation(runner, ["approve", "refuse"])
    assert [request.args["originalFunctionCall"]["args"] for request in asked] == [{"target": "7"}, {"target": "8"}]
    assert "tired" in asked[0].args["toolConfirmation"]["hint"]
    assert ran == [("refund", "7")]
    approved, refused = agent.model.results()
    assert approved == "paid"
    assert "refused by a person (ops@example.test)" in refused
    assert engine.outcomes() == ["approved", "worked"]


@synchronous
async def test_the_model_is_not_asked_while_a_person_has_not_answered():
    agent = agent_of([[("refund", {"target": "7"})]])
    await conversation(runner_of(agent, Guard(Engine(**PAUSES), "a")))
    assert len(agent.model.requests) == 1


@synchronous
async def test_the_session_s_user_decides_where_the_answer_names_nobody():
    agent, engine = agent_of([[("refund", {"target": "7"})]]), Engine(**PAUSES)
    await conversation(runner_of(agent, Guard(engine, "a")), ["approve"], by=None)
    assert [context["by"] for _, context in engine.reports if "by" in context] == ["ann"]


@synchronous
async def test_of_calls_side_by_side_only_those_that_pause_wait():
    ran, engine = [], Engine(**PAUSES)
    turn = [("refund", {"target": "7"}), ("look_up", {"target": "8"}), ("refund", {"target": "9"})]
    agent = agent_of([turn], lambda *call: ran.append(call) or "fine")
    await conversation(runner_of(agent, Guard(engine, "a", {"look_up": "clarify"})), ["approve", "refuse"])
    assert ran == [("look_up", "8"), ("refund", "7")]
    assert agent.model.results()[:2] == ["fine", "fine"]
    assert "refused" in agent.model.results()[2]


async def resumed(runner, session_id, asked, agent, engine, decision):
    """Another process gets the answer: a new plugin and a new guard over the same session and the same engine."""
    plugin = IdentityOSPlugin(Guard(engine, "a"))
    restarted = Runner(app=App(name="app", root_agent=agent, plugins=[plugin]), session_service=runner.session_service)
    message = answer([asked], [decision], "ops")
    async for _ in restarted.run_async(user_id="ann", session_id=session_id, new_message=message):
        pass


@pytest.mark.parametrize("kept", [True, False])
@synchronous
async def test_another_process_goes_on_with_the_answer(kept):
    ran, engine = [], Engine(**PAUSES)
    engine.is_local = kept
    first = agent_of([[("refund", {"target": "7"})]])
    runner = runner_of(first, Guard(engine, "a"))
    session = await runner.session_service.create_session(app_name="app", user_id="ann")
    (asked,) = await conversation(runner, session_id=session.id)
    second = agent_of([], lambda *call: ran.append(call) or "paid")
    await resumed(runner, session.id, asked, second, engine, "approve")
    assert ran == [("refund", "7")]
    assert second.model.results() == ["paid"]
    assert engine.outcomes() == ["approved", "worked"]


@synchronous
async def test_another_process_goes_on_with_a_pause_that_denials_made():
    ran, engine = [], Engine(**DENIES)
    agent = agent_of([[("refund", {"target": "7"})]] * 4, lambda *call: ran.append(call) or "paid")
    runner = runner_of(agent, Guard(engine, "a"))
    session = await runner.session_service.create_session(app_name="app", user_id="ann")
    (asked,) = await conversation(runner, session_id=session.id)
    await resumed(runner, session.id, asked, agent, engine, "approve")
    assert ran == [("refund", "7")]
    assert agent.model.results()[3] == "paid"


@pytest.mark.parametrize("kept", [True, False])
@synchronous
async def test_a_refusal_holds_in_another_process_even_if_the_contract_allows_the_call_by_then(kept):
    ran, engine = [], Engine(**PAUSES)
    engine.is_local = kept  # the API does not keep verdicts
    agent = agent_of([[("refund", {"target": "7"})]], lambda *call: ran.append(call) or "paid")
    runner = runner_of(agent, Guard(engine, "a"))
    session = await runner.session_service.create_session(app_name="app", user_id="ann")
    (asked,) = await conversation(runner, session_id=session.id)
    engine.changes = {}
    await resumed(runner, session.id, asked, agent, engine, "refuse")
    assert ran == []
    assert "refused by a person (ops)" in agent.model.results()[0]


@synchronous
async def test_a_tool_that_asks_for_confirmation_itself_is_reported_when_it_has_run():
    ran, engine = [], Engine()
    asking = FunctionTool(tool("refund", lambda *call: ran.append(call) or "paid"), require_confirmation=True)
    agent = agent_of([[("refund", {"target": "7"})]], tools=[asking])
    runner = runner_of(agent, Guard(engine, "a"))
    asked = await conversation(runner, ["approve"])
    assert (len(asked), ran, engine.outcomes()) == (1, [("refund", "7")], ["worked"])


@synchronous
async def test_one_answer_serves_the_tool_s_own_confirmation_and_the_guard_s_pause():
    ran = []
    asking = FunctionTool(tool("refund", lambda *call: ran.append(call) or "paid"), require_confirmation=True)
    agent = agent_of([[("refund", {"target": "7"})]], tools=[asking])
    asked = await conversation(runner_of(agent, Guard(Engine(**PAUSES), "a")), ["approve"])
    assert (len(asked), ran) == (1, [("refund", "7")])


@synchronous
async def test_each_agent_has_its_guard_by_its_name():
    engine = Engine()
    helper = agent_of([[("look_up", {"target": "8"})]], name="helper", description="Helps.")
    root = agent_of([[("helper", {"request": "help"})], [("refund", {"target": "7"})]], tools=["refund", AgentTool(helper)])
    guards = {"support": Guard(engine, "root"), "helper": Guard(engine, "helper")}
    await conversation(runner_of(root, guards, messages=True))
    assert [c["tool"] for agent, c in engine.reports if agent == "root" and "tool" in c] == ["helper", "refund"]
    assert [c["tool"] for agent, c in engine.reports if agent == "helper" and "tool" in c] == ["look_up"]
    assert [agent for agent, context in engine.reports if "said" in context] == ["root", "root"]


@pytest.mark.parametrize(("guards", "runs"), [({}, False), ({"support": None}, True)])
@synchronous
async def test_an_agent_without_a_guard_can_call_no_tool_unless_that_is_said(guards, runs):
    ran = []
    agent = agent_of([[("refund", {"target": "7"})]], lambda *call: ran.append(call) or "paid")
    await conversation(runner_of(agent, guards))
    assert bool(ran) is runs


@pytest.mark.parametrize(("contract", "runs"), [({}, True), (DENIES, False), (PAUSES, False)])
@synchronous
async def test_a_tool_that_is_a_node_of_a_workflow_is_guarded_and_a_pause_is_a_denial(contract, runs):
    ran, outputs = [], []
    node = FunctionTool(tool("refund", lambda *call: ran.append(call) or "paid"))
    workflow = Workflow(name="flow", edges=[(START, node)])
    runner = runner_of(workflow, Guard(Engine(**contract), "a"))
    session = await runner.session_service.create_session(app_name="app", user_id="ann")
    message = types.UserContent('{"target": "7"}')
    async for event in runner.run_async(user_id="ann", session_id=session.id, new_message=message):
        outputs.append(event.output)
    assert bool(ran) is runs
    assert (outputs == ["paid"]) is runs
    assert ("refund" in outputs[0].get("error", "")) if not runs else True


@synchronous
async def test_an_agent_can_give_its_answer_whatever_the_contract_says():
    class Answer(BaseModel):
        text: str

    engine = Engine(**DENIES)
    agent = agent_of([[("set_model_response", {"text": "Hello"})]], output_schema=Answer)
    await conversation(runner_of(agent, Guard(engine, "a")))
    assert len(agent.model.requests) == 1
    assert engine.outcomes() == []


@synchronous
async def test_a_tool_of_the_caller_with_the_name_of_one_of_adk_is_guarded():
    ran = []
    agent = agent_of([[("exit_loop", {"target": "7"})]], lambda *call: ran.append(call), tools=["exit_loop"])
    await conversation(runner_of(agent, Guard(Engine(**DENIES), "a")))
    assert ran == []


@synchronous
async def test_annotations_of_mcp_tools_say_what_they_do():
    class Annotations(BaseModel):
        """As mcp 2 has it: Python's names, and the protocol's as aliases."""

        title: str | None = "A title"
        read_only_hint: bool | None = Field(None, alias="readOnlyHint")

    class McpTool(FunctionTool):
        """As ADK's McpTool, which needs a server."""

        raw_mcp_tool = SimpleNamespace(annotations=Annotations(readOnlyHint=True))

    class TitledTool(FunctionTool):
        raw_mcp_tool = SimpleNamespace(annotations=Annotations())

    engine = Engine(**DENIES)
    tools = [McpTool(tool("refund", echo)), TitledTool(tool("read", echo)), TitledTool(tool("pay", echo))]
    agent = agent_of([[(name, {"target": "7"})] for name in ("refund", "read", "pay")], tools=tools)
    await conversation(runner_of(agent, Guard(engine, "a")))
    refund, read, pay = agent.model.results()
    assert (refund, read) == ("refund 7", "read 7")
    assert "is not allowed now" in pay


@synchronous
async def test_a_guard_that_breaks_denies_and_the_run_goes_on():
    class Broken:
        def __getattr__(self, name):
            raise RuntimeError("broken")

    ran = []
    agent = agent_of([[("refund", {"target": "7"})]], lambda *call: ran.append(call) or "paid")
    await conversation(runner_of(agent, Broken()))
    assert ran == []
    assert agent.model.results() == ["refund is not allowed now: the guard failed."]


@synchronous
async def test_an_engine_that_does_not_answer_ends_no_run():
    engine = Engine()
    engine.broken = True
    agent = agent_of([[("look_up", {"target": "7"})]])
    await conversation(runner_of(agent, Guard(engine, "a", {"look_up": "clarify"})))
    assert agent.model.results() == ["look_up 7"]


@pytest.mark.parametrize(("options", "reported"), [({}, []), ({"messages": True}, ["message", "message"])])
@synchronous
async def test_messages_are_reported_if_that_is_asked_for(options, reported):
    engine = Engine()

    agent = agent_of([[("refund", {"target": "7"})]], fail, on_tool_error_callback=tell_the_model)
    await conversation(runner_of(agent, Guard(engine, "a"), **options))
    assert [context["said"] for _, context in engine.reports if "said" in context] == reported


@synchronous
async def test_thoughts_and_parts_of_an_answer_are_no_messages():
    engine = Engine()
    plugin, context = IdentityOSPlugin(Guard(engine, "a"), messages=True), SimpleNamespace(agent_name="support")
    thought = types.Content(role="model", parts=[types.Part(text="Hm.", thought=True)])
    for response in (
        LlmResponse(content=types.ModelContent("Hel"), partial=True),
        LlmResponse(content=thought),
        LlmResponse(),
        LlmResponse(content=types.ModelContent("Hello")),
    ):
        await plugin.after_model_callback(callback_context=context, llm_response=response)
    assert len(engine.reports) == 1


@synchronous
async def test_a_model_that_counts_its_calls_anew_in_each_session_is_judged_anew():
    guard = Guard(Engine(**PAUSES), "a", {"look_up": "clarify"})
    waiting, reading = agent_of([[("refund", {"target": "7"})]]), agent_of([[("look_up", {"target": "8"})]])
    assert len(await conversation(runner_of(waiting, guard))) == 1
    await conversation(runner_of(reading, guard))
    assert reading.model.results() == ["look_up 8"]


@synchronous
async def test_conversations_at_once_do_not_mix():
    engine = Engine()

    async def one(number):
        agent = agent_of([[("look_up", {"target": f"{number}-{turn}"})] for turn in range(5)], name=f"agent{number}")
        await conversation(runner_of(agent, Guard(engine, f"agent{number}", {"look_up": "clarify"})))
        return agent.model.results()

    results = await asyncio.gather(*(one(number) for number in range(4)))
    assert results == [[f"look_up {number}-{turn}" for turn in range(5)] for number in range(4)]
    assert [len(engine.outcomes(f"agent{number}")) for number in range(4)] == [5] * 4


@pytest.mark.parametrize("number", range(3))
def test_the_programs_of_the_page_run(number):
    programs = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    done = subprocess.run([sys.executable, "-c", programs[number]], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert ("refund is not allowed now" in done.stdout) is (number == 1)
    assert len(programs) == 3
