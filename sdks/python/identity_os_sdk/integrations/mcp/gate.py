"""The gate: what a tool call becomes (passed on, denied, asked about), and what is reported of its end.

It knows no transport. `Relay` and `listen` bring messages and carry out the steps that it answers with. Nothing here raises
into them: a call that could not be judged is denied.
"""

import logging
from collections.abc import Mapping
from itertools import count
from typing import Any, Final
from uuid import uuid4

from ...guard import Guard, GuardAsync, decision
from ...models import SAFE_ACTIONS
from . import messages as m
from .calls import Answer, Ask, Call, Client, Forward, Step, question

log = logging.getLogger("identity_os_sdk.mcp")

UNDECIDED: Final = "This call was stopped: Identity OS could not decide about it. Do not call the tool again; tell the user."
#: What the model is told where the host cannot ask. The command that approves is in the log, out of the model's sight.
CANNOT_ASK: Final = "This host cannot ask a person. Tell the user: how to approve it stands in the log of this MCP server."
NOBODY: Final = "The person whom it asked did not decide."
_STATE: Final = f"{m.OWN}state:"
_QUESTION: Final = f"{m.OWN}approval"
_REMEMBERED: Final = 1_000


class Gate:
    """Judges the tool calls of one agent. `notes`: tell the model, in a call's result, when the tools that are held change."""

    def __init__(self, guard: Guard | GuardAsync, *, notes: bool = True) -> None:
        self.guard = guard.asynchronous() if isinstance(guard, Guard) else guard
        self._notes = notes
        self._numbers = count(1)
        self._names: dict[str, None] = {}  # of tools that were listed or called
        self._listed: set[str] = set()
        self._complete = False
        self._told: frozenset[str] = frozenset()
        # Calls that go on in a later request: of the server by its state, of the proxy's own question, of a task by its id.
        self._continued: dict[str, Call] = {}
        self._asked: dict[str, Call] = {}
        self._tasks: dict[str, Call] = {}

    # What the server's tools are

    def wants_list(self, name: str, *, schema: bool = False) -> bool:
        """Whether the tools should be listed before this one is judged: its annotations may decide, and are not known.

        `schema`: its schema is needed, too, so that a map of the user is not enough.
        """
        if self._complete or name in self._listed:
            return False
        return schema or self.guard.tool_action(name).source != "map"

    def learn(self, listed: Any) -> str | None:
        """Take the annotations of a tools/list result. The cursor of its next page, None at the end."""
        found = listed if isinstance(listed, dict) else {}
        for tool in found.get("tools") or ():
            if isinstance(tool, dict) and isinstance(tool.get("name"), str):
                given = tool.get("annotations")
                self.guard.annotate(tool["name"], given if isinstance(given, dict) else {})
                self._listed.add(tool["name"])
                self._names[tool["name"]] = None
        cursor = found.get("nextCursor")
        self._complete = not isinstance(cursor, str)
        return None if self._complete else str(cursor)

    def forget_list(self) -> None:
        """The server's tools have changed: list them again before the next call."""
        self._listed.clear()
        self._complete = False

    # Before a call

    async def before(self, message: dict[str, Any], raw: bytes, client: Client) -> Step:
        """What to do with a tools/call."""
        try:
            if m.is_modern(message):
                about, can = m.meta(message).get(m.CLIENT), m.meta(message).get(m.CAPABILITIES)
                client = Client(_name(about) or client.name, can if isinstance(can, dict) else {})
            given = m.params(message)
            state = given.get("requestState")
            if isinstance(state, str) and state.startswith(_STATE):
                return await self._asked_again(message, state, client)
            call = Call(message, raw, client, f"call-{next(self._numbers)}")
            if "requestState" in given or "inputResponses" in given:
                # The server asked for something. It is the same call, and was judged.
                known = self._continued.pop(state if isinstance(state, str) else call.subject, None)
                if known is not None and known.subject == call.subject:
                    call.call_id = known.call_id
                    return Forward(call)
            return await self._judged(call)
        except Exception:
            log.exception("the guard failed before a call; it is denied")
            return Answer(m.refusal(message, UNDECIDED))

    async def decided(self, call: Call, answer: Any) -> Step:
        """What to do with a call after a person was asked. `answer` is the client's ElicitResult, None when there was none."""
        try:
            answer = answer if isinstance(answer, dict) else {}
            by = f"a user of {call.client.name or 'the MCP host'}"
            action, content = answer.get("action"), answer.get("content")
            if action == "accept" and isinstance(content, dict) and "decision" in content:
                choice, _ = decision(content)
            elif action in ("accept", "decline"):
                choice = "refuse"
            else:
                verdict = await self.guard.before_tool(call.name, call.arguments, call.call_id)
                return Answer(m.refusal(call.message, f"{verdict.message} {NOBODY}"))
            verdict = await self.guard.approve(call.call_id, by) if choice == "approve" else self.guard.refuse(call.call_id, by)
            return Forward(call) if verdict.allowed else Answer(m.refusal(call.message, verdict.message or UNDECIDED))
        except Exception:
            log.exception("the guard failed after a person was asked; the call is denied")
            return Answer(m.refusal(call.message, UNDECIDED))

    async def _judged(self, call: Call) -> Step:
        self._names[call.name] = None
        verdict = await self.guard.before_tool(call.name, call.arguments, call.call_id)
        if verdict.allowed:
            return Forward(call)
        if verdict.kind == "deny":
            return Answer(m.refusal(call.message, verdict.message or UNDECIDED))
        if call.message.get("id") is None or not call.client.can_ask:
            log.warning("%s waits for a person (%s), and this host cannot ask one", call.name, verdict.reason)
            return Answer(m.refusal(call.message, f"{verdict.message} {CANNOT_ASK}"))
        asked = question(call, verdict)
        if m.is_modern(call.message):
            state = f"{_STATE}{uuid4().hex}"
            _keep(self._asked, state, call)
            requests = {_QUESTION: {"method": "elicitation/create", "params": {"mode": "form", **asked}}}
            waits = {"resultType": "input_required", "inputRequests": requests, "requestState": state}
            return Answer(m.result(call.message["id"], waits))
        question_id = m.own_id()
        request = {"jsonrpc": "2.0", "id": question_id, "method": "elicitation/create", "params": asked}
        return Ask(call, question_id, m.write(request))

    async def _asked_again(self, message: dict[str, Any], state: str, client: Client) -> Step:
        """The client brings a person's answer. Each state counts once, and for the same call alone."""
        answers = m.params(message).get("inputResponses")
        first = self._asked.pop(state, None)
        given = dict(m.params(message))
        for name in ("requestState", "inputResponses"):
            given.pop(name, None)
            if first is not None and name in m.params(first.message):
                given[name] = m.params(first.message)[name]
        passed = {**message, "params": given}
        call = Call(passed, m.write(passed), client, f"call-{next(self._numbers)}")
        if first is None or first.subject != call.subject:
            return await self._judged(call)
        call.call_id = first.call_id
        return await self.decided(call, answers.get(_QUESTION) if isinstance(answers, dict) else None)

    # After a call

    async def after(self, call: Call, message: dict[str, Any], raw: bytes) -> bytes:
        """Report how a call ended. What the client gets: `raw`, or the same with a note when what is held has changed."""
        try:
            value = message.get("result")
            if not isinstance(value, dict):
                await self._failed(call, message.get("error"))
                return raw
            kind = value.get("resultType", "complete")
            if kind == "input_required":
                state = value.get("requestState")
                _keep(self._continued, state if isinstance(state, str) else call.subject, call)
                return raw
            task = value.get("task", value) if kind == "task" or "task" in value else {}
            if isinstance(task, dict) and "taskId" in task:
                _keep(self._tasks, str(task["taskId"]), call)
                return raw
            await self._ended(call, value)
            note = self._note()
            if note is None:
                return raw
            blocks = value.get("content")
            content = [*(blocks if isinstance(blocks, list) else ()), {"type": "text", "text": note}]
            return m.write({**message, "result": {**value, "content": content}})
        except Exception:
            log.exception("the guard failed after a call; it is not reported")
            return raw

    async def lost(self, call: Call, why: str) -> None:
        """The server went away with a call."""
        await self.guard.after_tool(call.name, call.call_id, error=why)

    async def close(self) -> None:
        """Send the reports that wait."""
        await self.guard.close()

    def has_task(self, message: Mapping[str, Any]) -> bool:
        """Whether a message is about a call that goes on as a task."""
        return bool(self._tasks) and str(m.params(message).get("taskId")) in self._tasks

    async def task(self, task_id: str, asked: str, message: dict[str, Any]) -> None:
        """What the server says of a task: the answer to tasks/get or tasks/result (`asked`), or a notification."""
        call = self._tasks.get(task_id)
        found = message.get("result") if asked else m.params(message)
        if call is None or (not isinstance(found, dict) and asked != "tasks/result"):
            return
        said: dict[str, Any] = found if isinstance(found, dict) else {}
        if asked == "tasks/result":  # up to 2025-11-25: the result itself
            await (self._ended(call, said) if said else self._failed(call, message.get("error")))
        elif said.get("status") == "completed" and isinstance(said.get("result"), dict):
            await self._ended(call, said["result"])
        elif said.get("status") == "failed" and "error" in said:
            await self._failed(call, said["error"])
        elif said.get("status") != "cancelled":
            return
        self._tasks.pop(task_id, None)

    async def _ended(self, call: Call, value: dict[str, Any]) -> None:
        text = m.text_of(value)
        if value.get("isError"):
            await self.guard.after_tool(call.name, call.call_id, error=text or "error")
        else:
            await self.guard.after_tool(call.name, call.call_id, result=text)

    async def _failed(self, call: Call, error: Any) -> None:
        found = error if isinstance(error, dict) else {}
        if found.get("code") not in m.PROTOCOL_ERRORS:
            await self.guard.after_tool(call.name, call.call_id, error=str(found.get("message") or "error"))

    def _note(self) -> str | None:
        """What the model should know now, None when the tools that are held are those that it was told of."""
        now = self.guard.contract
        stopped = now.should_pause or now.should_escalate
        actions = {name: self.guard.tool_action(name).action for name in self._names}
        held = frozenset(
            name
            for name, action in actions.items()
            if action.value not in now.allowed_actions or (stopped and action not in SAFE_ACTIONS)
        )
        if not self._notes or held == self._told:
            return None
        self._told = held
        return f"[Identity OS] {self.guard.prompt()}"


def _name(about: Any) -> str:
    return str(about.get("name", "")) if isinstance(about, dict) else ""


def _keep(calls: dict[str, Call], name: str, call: Call) -> None:
    calls[name] = call
    while len(calls) > _REMEMBERED:
        del calls[next(iter(calls))]
