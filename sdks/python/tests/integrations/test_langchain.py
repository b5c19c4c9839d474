"""The middleware in agents of `create_agent`. The model is LangChain's own fake."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import story
from identity_os_sdk.guard import Guard
from identity_os_sdk.integrations.langchain import IdentityOSMiddleware
from identity_os_sdk.local import LocalEngine
from langchain.agents import create_agent
from langchain.agents.middleware import ToolRetryMiddleware
from langchain_core.messages import AIMessage, SystemMessage, ToolMessage
from langchain_core.tools import StructuredTool, ToolException
from langchain_fakes import BOTH_WAYS, CAN_ASK, Conversation, FakeModel, Tools, breaks, hold, model, pause, player, results
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import interrupt


def agent(model: FakeModel, tools: list[Any], guard: Any, *others: Any, **options: Any) -> Any:
    options = {"checkpointer": InMemorySaver(), **options}
    return create_agent(model, tools, middleware=[*others, IdentityOSMiddleware(guard)], **options)


test_conformance = story.cases(player(agent))
test_table = story.table_row("langchain", player(agent))
test_against_the_api = story.against_the_api(player(agent))
test_conformance_of_asynchronous_agents = story.cases(player(agent, asynchronous=True), can_pause=CAN_ASK)
test_two_at_once = story.two_at_once(player(agent))
test_two_asynchronous_agents_at_once = story.two_at_once(player(agent, asynchronous=True))


@pytest.fixture
def guard() -> Guard:
    return Guard(LocalEngine(":memory:"), "agent", tools={"refund": "execute", "read": "clarify"})


@pytest.fixture
def tools() -> Tools:
    return Tools()


@BOTH_WAYS
def test_the_model_reads_the_contract_after_its_own_instructions(guard: Guard, tools: Tools, asynchronous: bool) -> None:
    fake = model([("read", "a")])
    Conversation(agent(fake, tools.make(), guard, system_prompt="You are Aria."), asynchronous).run()
    assert fake.sent[-1][0].text == f"You are Aria.\n\n{guard.prompt()}"
    assert [message.type for message in fake.sent[-1]].count("system") == 1


def test_instructions_in_blocks_keep_their_blocks(guard: Guard) -> None:
    block: Any = {"type": "text", "text": "You are Aria.", "cache_control": {"type": "ephemeral"}}
    fake = model()
    Conversation(agent(fake, [], guard, system_prompt=SystemMessage([block]))).run()
    assert fake.sent[0][0].content == [block, {"type": "text", "text": guard.prompt()}]


@BOTH_WAYS
def test_a_denied_tool_does_not_run_and_the_model_reads_why(guard: Guard, tools: Tools, asynchronous: bool) -> None:
    hold(guard, "refund")
    state = Conversation(agent(model([("refund", "a")], [("read", "b")]), tools.make(), guard), asynchronous).run()
    denied, read = (message for message in state["messages"] if isinstance(message, ToolMessage))
    assert "not allowed now" in denied.text
    assert (denied.status, read.status) == ("error", "success")
    assert tools.ran == [("read", "b")]


@BOTH_WAYS
def test_a_person_approves_a_call_which_runs_once(guard: Guard, tools: Tools, asynchronous: bool) -> None:
    pause(guard, "refund")
    talk = Conversation(agent(model([("refund", "a")]), tools.make(), guard), asynchronous)
    (question,) = talk.run()["__interrupt__"]
    assert (question.value["tool"], question.value["args"]) == ("refund", {"target": "a"})
    assert "stress" in question.value["reason"]
    assert tools.ran == []
    state = talk.answer({"decision": "approve", "by": "ops@example.test"})
    assert results(state) == ["refund a: ok"]
    assert tools.ran == [("refund", "a")]


@BOTH_WAYS
@pytest.mark.parametrize("answer", ["refuse", False, "yes", {"by": "ops@example.test"}, 7])
def test_whatever_else_is_answered_is_a_refusal(guard: Guard, tools: Tools, asynchronous: bool, answer: Any) -> None:
    pause(guard, "refund")
    talk = Conversation(agent(model([("refund", "a")]), tools.make(), guard), asynchronous)
    talk.run()
    assert "refused by a person" in results(talk.answer(answer))[0]
    assert tools.ran == []


@BOTH_WAYS
def test_questions_about_calls_of_one_message_are_answered_by_id(guard: Guard, tools: Tools, asynchronous: bool) -> None:
    pause(guard, "refund")
    talk = Conversation(agent(model([("refund", "a"), ("read", "b"), ("refund", "c")]), tools.make(), guard), asynchronous)
    questions = talk.run()["__interrupt__"]
    answers = {each.id: "approve" if each.value["args"]["target"] == "c" else "refuse" for each in questions}
    refused, read, done = results(talk.answer(answers))
    assert "refused by a person" in refused
    assert (read, done) == ("read b: ok", "refund c: ok")
    assert sorted(tools.ran) == [("read", "b"), ("refund", "c")]


@BOTH_WAYS
def test_a_tool_that_asks_by_itself_gets_its_own_answer(guard: Guard, tools: Tools, asynchronous: bool) -> None:
    heard = []
    tools.work = lambda name, target: heard.append(interrupt("which account?")) or "paid"  # type: ignore[method-assign]
    pause(guard, "refund")
    talk = Conversation(agent(model([("refund", "a")]), tools.make(), guard), asynchronous)
    talk.run()
    talk.answer("approve")
    assert results(talk.answer("account 7")) == ["paid"]
    assert heard == ["account 7"]


def test_without_a_checkpointer_a_pause_is_a_denial(guard: Guard, tools: Tools) -> None:
    pause(guard, "refund")
    state = Conversation(agent(model([("refund", "a")]), tools.make(), guard, checkpointer=None)).run()
    assert "__interrupt__" not in state
    assert "waits for a person" in results(state)[0]
    assert tools.ran == []


@BOTH_WAYS
def test_an_exception_ends_the_run_and_is_reported(guard: Guard, tools: Tools, asynchronous: bool) -> None:
    def work(name: str, target: str) -> str:
        raise ConnectionError("the backend is down")

    tools.work = work  # type: ignore[method-assign]
    for _ in range(3):
        with pytest.raises(ConnectionError):
            Conversation(agent(model([("refund", "a")]), tools.make(), guard), asynchronous).run()
    assert guard.contract.stress_state == "HIGH"


@BOTH_WAYS
def test_a_tool_error_goes_to_the_model_and_is_reported(guard: Guard, tools: Tools, asynchronous: bool) -> None:
    def work(name: str, target: str) -> str:
        raise ToolException("the backend is down")

    tools.work = work  # type: ignore[method-assign]
    received = results(Conversation(agent(model(*[[("refund", "a")]] * 4), tools.make(), guard), asynchronous).run())
    assert received[:3] == ["the backend is down"] * 3
    assert "not allowed now" in received[3]


def test_each_retry_of_another_middleware_is_judged(guard: Guard, tools: Tools) -> None:
    def work(name: str, target: str) -> str:
        raise ConnectionError("the backend is down")

    tools.work = work  # type: ignore[method-assign]
    retry = ToolRetryMiddleware(max_retries=9, initial_delay=0, jitter=False)
    state = Conversation(agent(model([("refund", "a")]), tools.make(), guard, retry)).run()
    assert len(tools.ran) == 3
    assert "not allowed now" in results(state)[0]


@BOTH_WAYS
def test_a_hook_that_breaks_before_a_tool_lets_none_run(
    guard: Guard, tools: Tools, asynchronous: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard.core, "before", breaks)
    monkeypatch.setattr(guard.core, "broken", breaks)
    state = Conversation(agent(model([("refund", "a")]), tools.make(), guard), asynchronous).run()
    assert "the guard failed" in results(state)[0]
    assert tools.ran == []
    assert state["messages"][-1].text == "done"


@BOTH_WAYS
@pytest.mark.parametrize("name", ["after_tool", "prompt"])
def test_a_hook_that_breaks_elsewhere_does_not_end_the_run(
    guard: Guard, tools: Tools, asynchronous: bool, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard.asynchronous().__class__ if asynchronous else guard, name, breaks)
    state = Conversation(agent(model([("refund", "a")]), tools.make(), guard), asynchronous).run()
    assert results(state) == ["refund a: ok"]
    assert state["messages"][-1].text == "done"


def test_a_guard_that_has_to_be_awaited_serves_asynchronous_code_alone(guard: Guard, tools: Tools) -> None:
    made = agent(model([("refund", "a")], [("refund", "b")]), tools.make(), guard.asynchronous())
    with pytest.raises(TypeError, match="ainvoke"):
        Conversation(made).run()
    assert tools.ran == []
    assert results(Conversation(made, asynchronous=True).run()) == ["refund a: ok", "refund b: ok"]


def test_a_coroutine_is_guarded_as_a_function_is(guard: Guard) -> None:
    ran = []

    async def refund(target: str) -> str:
        """Refund."""
        ran.append(target)
        return "paid"

    hold(guard, "refund")
    tool = StructuredTool.from_function(coroutine=refund)
    state = Conversation(agent(model([("refund", "a")]), [tool], guard), asynchronous=True).run()
    assert "not allowed now" in results(state)[0]
    assert ran == []


def test_two_agents_at_once_have_contracts_of_their_own(tools: Tools) -> None:
    engine = LocalEngine(":memory:")
    calm, raging = (Guard(engine, name, tools={"refund": "execute"}) for name in ("calm", "raging"))
    hold(raging, "refund")
    talks = [Conversation(agent(model([("refund", "a")]), tools.make(), each)) for each in (calm, raging)]

    async def together() -> Any:
        return await asyncio.gather(*(talk.agent.ainvoke({"messages": [("user", "go on")]}, talk.config) for talk in talks))

    one, other = asyncio.run(together())
    assert results(one) == ["refund a: ok"]
    assert "not allowed now" in results(other)[0]


def test_two_conversations_may_number_their_calls_alike(guard: Guard, tools: Tools) -> None:
    pause(guard, "refund")
    call = {"name": "refund", "args": {"target": "a"}, "id": "functions.refund:0"}
    talks = []
    for _ in range(2):
        fake = FakeModel(messages=iter([AIMessage("", tool_calls=[call]), AIMessage("done")]), sent=[])
        talks.append(Conversation(agent(fake, tools.make(), guard)))
        assert "__interrupt__" in talks[-1].run()
    assert results(talks[0].answer("approve")) == ["refund a: ok"]
    assert "refused by a person" in results(talks[1].answer("refuse"))[0]
    assert tools.ran == [("refund", "a")]
    assert guard.run == talks[1].config["configurable"]["thread_id"]


def test_a_pause_in_an_agent_that_is_a_tool_reaches_the_person(tools: Tools) -> None:
    engine = LocalEngine(":memory:")
    caller, called = (Guard(engine, name, tools={"refund": "execute"}, default="execute") for name in ("caller", "called"))
    pause(called, "refund")
    inner = agent(model([("refund", "a")]), tools.make(), called, checkpointer=None)

    def delegate(target: str) -> str:
        """Let another agent do it."""
        return results(inner.invoke({"messages": [("user", target)]}))[0]

    talk = Conversation(agent(model([("delegate", "a")]), [StructuredTool.from_function(delegate)], caller))
    (question,) = talk.run()["__interrupt__"]
    assert (question.value["tool"], tools.ran) == ("refund", [])
    assert results(talk.answer("approve")) == ["refund a: ok"]
    assert tools.ran == [("refund", "a")]


@pytest.mark.parametrize(("answer", "ran"), [("approve", [("refund", "a")]), ("refuse", [])])
def test_another_process_goes_on_after_a_pause(tools: Tools, tmp_path: Path, answer: str, ran: list[Any]) -> None:
    here, there = (Guard(LocalEngine(str(tmp_path / "agents.db")), "agent", tools={"refund": "execute"}) for _ in range(2))
    pause(here, "refund")
    fake, saver = model([("refund", "a")]), InMemorySaver()
    talk = Conversation(agent(fake, tools.make(), here, checkpointer=saver))
    talk.run()
    talk.agent = agent(fake, tools.make(), there, checkpointer=saver)
    assert ("refused by a person" in results(talk.answer(answer))[0]) is (answer == "refuse")
    assert tools.ran == ran


def test_each_program_of_the_page_runs() -> None:
    page = (Path(__file__).parents[4] / "docs" / "integrations" / "langchain.md").read_text()
    last = []
    for program in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        last.append(done.stdout.splitlines()[-1])
    assert last == ["Done.", "Done.", "A-7 is paid back"]
