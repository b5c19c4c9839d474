"""Graphs built by hand: `GuardedToolNode` in place of a ToolNode, and `guard_node` between an agent and tools of any kind."""

import json
import operator
import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import pytest
import story
from identity_os_sdk.guard import Guard
from identity_os_sdk.integrations.langgraph import GuardedToolNode, guard_node
from identity_os_sdk.local import LocalEngine
from langchain_core.messages import SystemMessage, ToolMessage
from langchain_fakes import BOTH_WAYS, CAN_ASK, Conversation, FakeModel, Tools, breaks, hold, model, pause, player, results
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import Send, interrupt
from pydantic import BaseModel


def agent(fake: FakeModel, guard: Guard) -> Any:
    """A node that calls a model, and adds the contract to what it reads."""

    def node(state: Any) -> Any:
        messages = state["messages"] if isinstance(state, dict) else state.messages
        return {"messages": [fake.invoke([SystemMessage(guard.prompt()), *messages])]}

    return node


def with_tool_node(fake: FakeModel, tools: list[Any], guard: Any, **options: Any) -> Any:
    builder = StateGraph(MessagesState)
    builder.add_node("agent", agent(fake, guard))
    builder.add_node("tools", GuardedToolNode(tools, guard, **options))
    builder.add_edge(START, "agent")
    builder.add_conditional_edges("agent", tools_condition)
    builder.add_edge("tools", "agent")
    return builder.compile(checkpointer=InMemorySaver())


def with_guard_node(fake: FakeModel, tools: Any, guard: Any, state: Any = MessagesState, **options: Any) -> Any:
    builder = StateGraph(state)
    builder.add_node("agent", agent(fake, guard))
    builder.add_node("guard", guard_node(guard))
    builder.add_node("tools", tools if callable(tools) else ToolNode(tools, **options))
    builder.add_edge(START, "agent")
    builder.add_edge("agent", "guard")
    builder.add_edge("tools", "guard")
    return builder.compile(checkpointer=InMemorySaver())


GRAPHS = pytest.mark.parametrize("graph", [with_tool_node, with_guard_node])


test_conformance_of_the_tool_node = story.cases(player(with_tool_node))
test_table = story.table_row("langgraph", player(with_tool_node))
test_against_the_api = story.against_the_api(player(with_tool_node))
test_conformance_of_the_asynchronous_tool_node = story.cases(player(with_tool_node, asynchronous=True), can_pause=CAN_ASK)
test_conformance_of_the_guard_node = story.cases(player(with_guard_node))
test_conformance_of_the_asynchronous_guard_node = story.cases(player(with_guard_node, asynchronous=True))
test_two_tool_nodes_at_once = story.two_at_once(player(with_tool_node))
test_two_guard_nodes_at_once = story.two_at_once(player(with_guard_node))


@pytest.fixture
def guard() -> Guard:
    return Guard(LocalEngine(":memory:"), "agent", tools={"refund": "execute", "read": "clarify"})


@pytest.fixture
def tools() -> Tools:
    return Tools()


@BOTH_WAYS
@GRAPHS
def test_a_denied_call_does_not_run_beside_calls_that_do(graph: Any, guard: Guard, tools: Tools, asynchronous: bool) -> None:
    hold(guard, "refund")
    fake = model([("read", "a"), ("refund", "b"), ("read", "c")])
    state = Conversation(graph(fake, tools.make(), guard), asynchronous).run()
    first, denied, last = results(state)
    assert (first, last) == ("read a: ok", "read c: ok")
    assert "not allowed now" in denied
    assert sorted(tools.ran) == [("read", "a"), ("read", "c")]
    assert state["messages"][-1].text == "done"


@BOTH_WAYS
@GRAPHS
def test_no_call_runs_before_all_questions_are_answered_and_none_twice(
    graph: Any, guard: Guard, tools: Tools, asynchronous: bool
) -> None:
    pause(guard, "refund")
    talk = Conversation(graph(model([("read", "a"), ("refund", "b"), ("refund", "c")]), tools.make(), guard), asynchronous)
    (question,) = talk.run()["__interrupt__"]
    assert (question.value["args"], tools.ran) == ({"target": "b"}, [])
    (question,) = talk.answer("refuse")["__interrupt__"]
    assert (question.value["args"], tools.ran) == ({"target": "c"}, [])
    read, refused, done = results(talk.answer("approve"))
    assert (read, done) == ("read a: ok", "refund c: ok")
    assert "refused by a person" in refused
    assert sorted(tools.ran) == [("read", "a"), ("refund", "c")]


@BOTH_WAYS
@GRAPHS
def test_failures_are_reported_until_the_tool_is_held(graph: Any, guard: Guard, tools: Tools, asynchronous: bool) -> None:
    def work(name: str, target: str) -> str:
        raise ConnectionError("the backend is down")

    tools.work = work  # type: ignore[method-assign]
    made = graph(model(*[[("refund", "a")]] * 4), tools.make(), guard, handle_tool_errors=True)
    received = results(Conversation(made, asynchronous).run())
    assert all("the backend is down" in each for each in received[:3])
    assert "not allowed now" in received[3]


def test_an_exception_of_a_guarded_tool_node_is_reported_before_it_ends_the_run(guard: Guard, tools: Tools) -> None:
    def work(name: str, target: str) -> str:
        raise ConnectionError("the backend is down")

    tools.work = work  # type: ignore[method-assign]
    for _ in range(3):
        with pytest.raises(ConnectionError):
            Conversation(with_tool_node(model([("refund", "a")]), tools.make(), guard)).run()
    assert guard.contract.stress_state == "HIGH"


@BOTH_WAYS
@GRAPHS
def test_a_tool_that_asks_by_itself_gets_its_own_answer(graph: Any, guard: Guard, tools: Tools, asynchronous: bool) -> None:
    heard = []
    tools.work = lambda name, target: heard.append(interrupt("which account?")) or "paid"  # type: ignore[method-assign]
    pause(guard, "refund")
    talk = Conversation(graph(model([("refund", "a")]), tools.make(), guard), asynchronous)
    talk.run()
    talk.answer("approve")
    assert results(talk.answer("account 7")) == ["paid"]
    assert heard == ["account 7"]


@BOTH_WAYS
@GRAPHS
def test_a_hook_that_breaks_lets_no_tool_run(
    graph: Any, guard: Guard, tools: Tools, asynchronous: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard.core, "before", breaks)
    monkeypatch.setattr(guard.core, "broken", breaks)
    state = Conversation(graph(model([("refund", "a")]), tools.make(), guard), asynchronous).run()
    assert "the guard failed" in results(state)[0]
    assert tools.ran == []


@GRAPHS
def test_the_state_stays_serialisable(graph: Any, guard: Guard, tools: Tools) -> None:
    pause(guard, "refund")
    talk = Conversation(graph(model([("refund", "a")]), tools.make(), guard))
    question = talk.run()["__interrupt__"][0].value
    assert json.loads(json.dumps(question)) == question
    state = talk.answer("approve")
    assert set(state) == {"messages"}
    json.dumps([message.model_dump() for message in state["messages"]])


@GRAPHS
def test_a_guard_that_has_to_be_awaited_serves_asynchronous_code_alone(graph: Any, guard: Guard, tools: Tools) -> None:
    with pytest.raises(TypeError, match="ainvoke"):
        Conversation(graph(model([("refund", "a")]), tools.make(), guard.asynchronous())).run()
    assert tools.ran == []


@pytest.mark.parametrize("part", [lambda state: state, lambda state: state["messages"][-1].tool_calls])
def test_a_guarded_tool_node_may_be_sent_a_state_or_calls_alone(part: Any, guard: Guard, tools: Tools) -> None:
    hold(guard, "refund")
    builder = StateGraph(MessagesState)
    builder.add_node("agent", agent(model([("read", "a"), ("refund", "b")]), guard))
    builder.add_node("tools", GuardedToolNode(tools.make(), guard))
    builder.add_edge(START, "agent")
    builder.add_conditional_edges("agent", lambda state: [Send("tools", part(state))], ["tools"])
    read, denied = results(Conversation(builder.compile()).run())
    assert read == "read a: ok"
    assert "not allowed now" in denied


def test_the_guard_node_takes_tools_of_any_kind_and_keeps_the_state(guard: Guard) -> None:
    class State(MessagesState):
        seen: Annotated[list[str], operator.add]
        customer: str

    def own(state: Any) -> Any:
        (call,) = state["messages"][-1].tool_calls
        return {"messages": [ToolMessage("own", tool_call_id=call["id"])], "seen": [f"{state['customer']} {call['name']}"]}

    hold(guard, "refund")
    made = with_guard_node(model([("refund", "a"), ("read", "b")]), own, guard, State)
    state = made.invoke({"messages": [("user", "hi")], "customer": "Ada"}, {"configurable": {"thread_id": "1"}})
    assert state["seen"] == ["Ada read"]
    assert state["messages"][-1].text == "done"


def test_the_guard_node_takes_a_state_that_is_an_object(guard: Guard, tools: Tools) -> None:
    class State(BaseModel):
        messages: Annotated[list[Any], operator.add]

    made = with_guard_node(model([("read", "a")]), tools.make(), guard, State)
    assert results(Conversation(made).run()) == ["read a: ok"]


def test_each_program_of_the_page_runs() -> None:
    page = (Path(__file__).parents[4] / "docs" / "integrations" / "langgraph.md").read_text()
    last = []
    for program in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        last.append(done.stdout.splitlines()[-1])
    assert last == ["Done.", "Done.", "Done."]
