"""The gate and the relay, message by message."""

import asyncio
import json

import pytest
import story
from identity_os_sdk.guard import Guard
from identity_os_sdk.integrations.mcp import Gate, Relay

VERSION = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"


class Link:
    """A relay whose two ends are lists. `modern`: requests carry version and capabilities themselves."""

    def __init__(self, modern=False, can_ask=True, engine=None, **options):
        self.engine = engine or story.RecordingEngine()
        self.guard = Guard(self.engine, "inst_1", **options)
        self.to_client, self.to_server = [], []
        self.modern, self.asks = modern, {"elicitation": {}} if can_ask else {}
        self.relay = Relay(Gate(self.guard), self._client, self._server)

    async def _client(self, line):
        self.to_client.append(json.loads(line))

    async def _server(self, line, _message):
        self.to_server.append(json.loads(line))

    async def client(self, message):
        await self.relay.from_client(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        await self.settled()

    async def server(self, message):
        await self.relay.from_server(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        await self.settled()

    async def settled(self):
        """Let what runs go on until it waits for a message."""
        while len(self.relay._running) > sum(not each.answer.done() for each in self.waiting()):
            await asyncio.sleep(0.001)

    def waiting(self):
        """What the relay waits for: a person, or a list that it asked for."""
        return [*self.relay._questions.values(), *(each for each in self.relay._pending.values() if each.kind == "own")]

    async def begin(self, *tools):
        if not self.modern:
            about = {"capabilities": self.asks, "clientInfo": {"name": "desk", "version": "1"}}
            await self.client({"id": 0, "method": "initialize", "params": about})
        await self.client({"id": "list", "method": "tools/list", **self.params({})})
        await self.server({"id": "list", "result": {"tools": [{"name": name, "annotations": {}} for name in tools]}})
        self.to_client.clear()
        self.to_server.clear()

    def params(self, given):
        meta = {VERSION: "2026-07-28", CAPABILITIES: self.asks} if self.modern else {}
        return {"params": given | ({"_meta": meta} if meta else {})}

    async def call(self, number, name="pay", arguments=None, **more):
        await self.client({"id": number, "method": "tools/call", **self.params({"name": name, "arguments": arguments, **more})})

    async def fails(self, number, name="pay"):
        """A call that fails; what the client got."""
        await self.call(number, name, {"n": 1})
        if self.to_server and self.to_server[-1].get("id") == number:
            await self.server({"id": number, "result": {"content": [{"type": "text", "text": "down"}], "isError": True}})
        return self.to_client[-1]

    async def hold(self):
        """Fail until the next call of `pay` waits for a person."""
        await self.begin("pay", "read_file")
        for number in range(1, 7):
            await self.fails(number)
        self.to_client.clear()
        self.to_server.clear()


def text(message):
    return message["result"]["content"][0]["text"]


def run(work):
    asyncio.run(work())


def answered(action, **content):
    return {"action": action, **({"content": content} if content else {})}


@pytest.mark.parametrize(
    ("answer", "passes", "said"),
    [
        (answered("accept", decision="approve"), True, None),
        (answered("accept", decision="refuse"), False, "was refused by a person (a user of desk)"),
        (answered("accept", decision="whatever"), False, "was refused by a person"),
        (answered("accept"), False, "was refused by a person"),
        (answered("decline"), False, "was refused by a person"),
        (answered("cancel"), False, "waits for a person"),
        ("nonsense", False, "did not decide"),
        (None, False, "did not decide"),
    ],
)
def test_what_a_person_answers_in_a_session(answer, passes, said):
    async def work():
        link = Link()
        await link.hold()
        await link.call(7, arguments={"n": 2})
        (question,) = link.to_client
        assert question["method"] == "elicitation/create"
        assert '{"n": 2}' in question["params"]["message"]
        assert question["params"]["requestedSchema"]["properties"]["decision"]["enum"] == ["approve", "refuse"]
        assert link.to_server == []
        await link.client(
            {"id": question["id"], **({"error": {"code": -1, "message": "no"}} if answer is None else {"result": answer})}
        )
        if passes:
            assert [each["id"] for each in link.to_server] == [7]
            assert link.engine.reports[-1] == ["CONNECTION", 0.2]
        else:
            assert link.to_server == []
            assert said in text(link.to_client[-1])
            assert link.to_client[-1]["result"]["isError"] is True

    run(work)


def test_while_a_person_is_asked_everything_else_passes():
    async def work():
        link = Link()
        await link.hold()
        await link.call(7)
        await link.call(8, "read_file")
        await link.client({"id": 9, "method": "ping"})
        assert [each["id"] for each in link.to_server] == [8, 9]

    run(work)


def test_a_call_that_is_cancelled_while_a_person_is_asked_never_reaches_the_server():
    async def work():
        link = Link()
        await link.hold()
        await link.call(7)
        question = link.to_client[-1]["id"]
        await link.client({"method": "notifications/cancelled", "params": {"requestId": 7}})
        assert link.to_client[-1]["params"]["requestId"] == question
        await link.client({"id": question, "result": answered("accept", decision="approve")})
        assert [each["method"] for each in link.to_server if "method" in each] == []

    run(work)


def asked(link):
    """The question that is within the answer to a call, and the state that goes with it."""
    result = link.to_client[-1]["result"]
    assert result["resultType"] == "input_required"
    ((name, request),) = result["inputRequests"].items()
    assert (request["method"], request["params"]["mode"]) == ("elicitation/create", "form")
    return name, result["requestState"]


def test_without_a_session_the_call_is_made_again_with_the_answer():
    async def work():
        link = Link(modern=True)
        await link.hold()
        await link.call(7, arguments={"n": 2})
        name, state = asked(link)
        yes = {"requestState": state, "inputResponses": {name: answered("accept", decision="approve")}}
        await link.call(8, arguments={"n": 2}, **yes)
        (passed,) = link.to_server
        assert (passed["id"], passed["params"]["arguments"]) == (8, {"n": 2})
        assert not {"requestState", "inputResponses"} & set(passed["params"])
        assert VERSION in passed["params"]["_meta"]
        # The state counts once.
        await link.call(9, arguments={"n": 2}, **yes)
        assert len(link.to_server) == 1
        assert "is not allowed now" in text(link.to_client[-1])

    run(work)


@pytest.mark.parametrize("forged", ["identity-os-state:0123", "other call"])
def test_an_answer_counts_for_the_call_that_was_asked_about_alone(forged):
    async def work():
        link = Link(modern=True)
        await link.hold()
        await link.call(7, arguments={"n": 2})
        name, state = asked(link)
        given = {"requestState": state if forged == "other call" else forged}
        yes = {name: answered("accept", decision="approve")}
        await link.call(8, arguments={"n": 1_000_000}, inputResponses=yes, **given)
        assert link.to_server == []
        asked(link)

    run(work)


def test_a_refusal_without_a_session():
    async def work():
        link = Link(modern=True)
        await link.hold()
        await link.call(7)
        name, state = asked(link)
        await link.call(8, requestState=state, inputResponses={name: answered("decline")})
        assert "was refused by a person" in text(link.to_client[-1])
        assert link.to_client[-1]["result"]["resultType"] == "complete"

    run(work)


@pytest.mark.parametrize("modern", [False, True])
@pytest.mark.parametrize("asks", [{}, {"elicitation": {"url": {}}}, {"elicitation": None}])
def test_a_client_that_shows_no_forms_is_not_asked(modern, asks):
    async def work():
        link = Link(modern)
        link.asks = asks
        await link.hold()
        await link.call(7)
        assert "waits for a person" in text(link.to_client[-1])
        assert "This host cannot ask" in text(link.to_client[-1])

    run(work)


def test_a_call_that_the_server_asks_about_is_one_call():
    """The server's own questions come between; the call was judged once, and is reported once."""

    async def work():
        link = Link(modern=True)
        await link.begin("pay")
        await link.call(1, arguments={"n": 1})
        for number, state in ((1, "one"), (2, "two")):
            await link.server({"id": number, "result": {"resultType": "input_required", "requestState": state}})
            await link.call(number + 1, arguments={"n": 1}, requestState=state, inputResponses={})
        assert link.engine.reports == []
        await link.server({"id": 3, "result": {"content": []}})
        assert link.engine.reports == [["EXPLORATION", 0.5]]
        assert [each["params"].get("requestState") for each in link.to_server] == [None, "one", "two"]

    run(work)


def test_a_state_of_the_server_is_no_way_around_the_guard():
    async def work():
        link = Link(modern=True)
        await link.hold()
        await link.call(7, arguments={"n": 1}, requestState="made up", inputResponses={})
        assert link.to_server == []

    run(work)


def test_a_task_of_a_session_is_reported_with_its_result():
    async def work():
        link = Link()
        await link.begin("pay")
        await link.call(1, arguments={"n": 1}, task={"ttl": 1000})
        await link.server({"id": 1, "result": {"task": {"taskId": "t1", "status": "working"}}})
        assert link.engine.reports == []
        await link.client({"id": 2, "method": "tasks/get", "params": {"taskId": "t1"}})
        await link.server({"id": 2, "result": {"taskId": "t1", "status": "completed"}})
        assert link.engine.reports == []
        await link.client({"id": 3, "method": "tasks/result", "params": {"taskId": "t1"}})
        await link.server({"id": 3, "result": {"content": [{"type": "text", "text": "down"}], "isError": True}})
        assert link.engine.reports == [["STRESS_RESPONSE", 0.45]]
        assert [each["id"] for each in link.to_client] == [1, 2, 3]

    run(work)


@pytest.mark.parametrize(
    ("status", "reports"),
    [
        ({"status": "completed", "result": {"content": []}}, [["EXPLORATION", 0.5]]),
        ({"status": "failed", "error": {"code": -32603, "message": "down"}}, [["STRESS_RESPONSE", 0.45]]),
        ({"status": "cancelled"}, []),
    ],
)
@pytest.mark.parametrize("how", ["asked", "told"])
def test_a_task_without_a_session_is_reported_at_its_end(status, reports, how):
    async def work():
        link = Link(modern=True)
        await link.begin("pay")
        await link.call(1, arguments={"n": 1})
        await link.server({"id": 1, "result": {"resultType": "task", "taskId": "t1", "status": "working"}})
        for number, found in ((2, {"status": "working"}), (3, status), (4, status)):
            if how == "asked":
                await link.client({"id": number, "method": "tasks/get", **link.params({"taskId": "t1"})})
                await link.server({"id": number, "result": {"taskId": "t1", **found}})
            else:
                await link.server({"method": "notifications/tasks", "params": {"taskId": "t1", **found}})
        assert link.engine.reports == reports

    run(work)


@pytest.mark.parametrize(
    ("answer", "reports"),
    [
        ({"error": {"code": -32602, "message": "bad arguments"}}, [["STRESS_RESPONSE", 0.45]]),
        ({"error": {"code": -32603, "message": "Request timed out"}}, [["STRESS_RESPONSE", 0.35]]),
        ({"error": {"code": -32042, "message": "visit this page first"}}, []),
        ({"error": {"code": -32021, "message": "a capability is missing"}}, []),
        ({"result": {"content": [], "isError": True}}, [["STRESS_RESPONSE", 0.45]]),
        ({"result": {"content": [{"type": "text", "text": "fine"}]}}, [["EXPLORATION", 0.5]]),
        ({"result": {"structuredContent": {"a": 1}}}, [["EXPLORATION", 0.5]]),
        ({"result": "no object"}, [["STRESS_RESPONSE", 0.45]]),
    ],
)
def test_what_is_reported_of_an_answer(answer, reports):
    async def work():
        link = Link()
        await link.begin("pay")
        await link.call(1)
        await link.server({"id": 1, **answer})
        assert link.to_client == [{"jsonrpc": "2.0", "id": 1, **answer}]
        assert link.engine.reports == reports

    run(work)


def test_three_pictures_that_differ_are_not_the_same_result():
    async def work():
        link = Link(tools={"shot": "clarify"})
        await link.begin("shot")
        for number, picture in enumerate(("aaaa", "bbbb", "cccc", "cccc", "cccc")):
            await link.call(number, "shot")
            block = {"type": "image", "data": picture, "mimeType": "image/png"}
            await link.server({"id": number, "result": {"content": [block]}})
        assert [mode for mode, _ in link.engine.reports] == ["EXPLORATION", *["PERCEPTION"] * 3, "STRESS_RESPONSE"]

    run(work)


@pytest.mark.parametrize(
    ("annotations", "name", "action"),
    [
        ({"readOnlyHint": True}, "delete_all", "clarify"),
        ({"readOnlyHint": True, "openWorldHint": True}, "delete_all", "explore"),
        ({"destructiveHint": True}, "get_it", "execute"),
        ({"title": "A title says nothing"}, "get_it", "clarify"),
        ({}, "get_it", "clarify"),
        (None, "get_it", "clarify"),
        ("wrong", "do_it", "execute"),
    ],
)
def test_annotations_say_what_a_tool_does_a_title_does_not(annotations, name, action):
    gate = Gate(Guard(story.RecordingEngine(), "inst_1"))
    assert gate.learn({"tools": [{"name": name, "annotations": annotations}, "nonsense", {"name": 5}]}) is None
    assert gate.guard.tool_action(name).action == action


def test_a_list_of_several_pages_is_read_until_the_tool_is_found():
    async def work():
        link = Link()
        await link.client({"id": 0, "method": "initialize", "params": {"capabilities": {}}})
        await link.call(1, "second")
        pages = [{"tools": [{"name": "first"}], "nextCursor": "2"}, {"tools": [{"name": "second"}], "nextCursor": "3"}]
        for number, page in enumerate(pages):
            asks = link.to_server[-1]
            assert (asks["method"], asks.get("params", {}).get("cursor")) == ("tools/list", [None, "2"][number])
            await link.server({"id": asks["id"], "result": page})
        assert link.to_server[-1]["method"] == "tools/call"
        assert link.to_client == []
        # Until the server says that its tools have changed.
        await link.call(2, "second")
        assert link.to_server[-1]["id"] == 2
        await link.server({"method": "notifications/tools/list_changed"})
        await link.call(3, "second")
        assert link.to_server[-1]["method"] == "tools/list"

    run(work)


def test_a_server_without_a_list_is_judged_by_names():
    async def work():
        link = Link()
        await link.client({"id": 0, "method": "initialize", "params": {"capabilities": {}}})
        await link.call(1, "get_it")
        await link.server({"id": link.to_server[-1]["id"], "error": {"code": -32601, "message": "no such method"}})
        await link.call(2, "get_it")
        assert [each["id"] for each in link.to_server[-2:]] == [1, 2]

    run(work)


def test_a_map_of_the_user_needs_no_list():
    async def work():
        link = Link(tools={"*": "execute"})
        await link.call(1, "whatever")
        assert [each["method"] for each in link.to_server] == ["tools/call"]

    run(work)


def test_a_guard_that_breaks_denies_and_the_server_sees_nothing():
    async def work():
        link = Link()
        await link.begin("pay")

        async def broken(*_):
            raise RuntimeError("broken")

        link.relay._gate.guard.before_tool = broken
        await link.call(1)
        assert "could not decide" in text(link.to_client[-1])
        assert link.to_server == []

    run(work)


def test_a_report_that_breaks_does_not_cost_the_answer():
    async def work():
        link = Link()
        await link.begin("pay")

        async def broken(*_, **__):
            raise RuntimeError("broken")

        link.relay._gate.guard.after_tool = broken
        await link.call(1)
        await link.server({"id": 1, "result": {"content": []}})
        assert link.to_client == [{"jsonrpc": "2.0", "id": 1, "result": {"content": []}}]

    run(work)


def test_answers_in_a_batch_of_the_server_are_reported():
    async def work():
        link = Link()
        await link.begin("pay")
        await link.call(1)
        batch = [{"jsonrpc": "2.0", "id": 1, "result": {"content": []}}, {"jsonrpc": "2.0", "method": "x"}]
        await link.relay.from_server(json.dumps(batch).encode() + b"\n")
        assert link.engine.reports == [["EXPLORATION", 0.5]]
        assert link.to_client == [batch]

    run(work)


def test_the_engine_away_is_what_on_unreachable_says():
    async def work():
        engine = story.RecordingEngine()
        engine.away = True
        link = Link(engine=engine, on_unreachable="deny")
        await link.begin("read_file")
        await link.call(1, "read_file")
        assert "the engine does not answer" in text(link.to_client[-1])

    run(work)
