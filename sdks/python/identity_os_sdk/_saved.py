"""What a guard knows, as JSON: for guards whose process ends between two calls, such as a hook.

`restore(core, saved(core))` in another process, or at another time, goes on where the first one stopped: rows of failures,
verdicts, denials, what people allowed, the last contract and its age, and reports that could not be sent.
"""

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from identity_os_sdk import models as m
from identity_os_sdk._core import Core, Outgoing, Verdict, _Call, _Tool
from identity_os_sdk.models import Action, Mode
from identity_os_sdk.observer import Memory, Report, ToolMemory

#: Calls that are over and still known, so that an end that is told twice counts once.
_OVER: Final = 100


def saved(core: Core) -> dict[str, Any]:
    """All that the core knows beyond how it was made. Times are seconds before `at`, a time of day: other clocks start anew."""
    now = time.monotonic()

    def ago(moment: float | None) -> float | None:
        return None if moment is None else now - moment

    with core._lock:
        over = [call_id for call_id, call in core._calls.items() if call.over]
        forgotten = set(over[:-_OVER])
        return {
            "at": time.time(),
            "contract": None if core._answered_at is None else core.contract.model_dump(mode="json"),
            "answered": ago(core._answered_at),
            "failed": ago(core._failed_at),
            "failure": core._failure,
            "incident": core._incident,
            "memory": [[tool, asdict(known)] for tool, known in core._memory.tools],
            "calls": [
                [
                    call_id,
                    {"verdict": asdict(call.verdict), "attempt": call.attempt, "arguments": call.arguments, "over": call.over},
                ]
                for call_id, call in core._calls.items()
                if call_id not in forgotten
            ],
            "tools": {
                name: {"denials": tool.denials, "basis": _basis(tool), "calls": tool.calls, "until": max(tool.until - now, 0.0)}
                for name, tool in core._tools.items()
            },
            "seen": list(core._seen),
            "waiting": [_outgoing(report) for report in core._waiting],
        }


def restore(core: Core, state: Mapping[str, Any]) -> None:
    """Take over what `saved` wrote."""
    now = time.monotonic()
    passed = max(time.time() - state["at"], 0.0)

    def moment(ago: float | None) -> float | None:
        return None if ago is None else now - passed - ago

    with core._lock:
        if state["contract"] is not None:
            core.contract = m.Contract.model_validate(state["contract"])
        core._answered_at, core._failed_at = moment(state["answered"]), moment(state["failed"])
        core._failure, core._incident = state["failure"], state["incident"]
        core._memory = Memory(tuple((tool, ToolMemory(**known)) for tool, known in state["memory"]))
        core._calls = {
            call_id: _Call(_verdict(call["verdict"]), call["attempt"], call["arguments"], None, call["over"])
            for call_id, call in state["calls"]
        }
        core._tools = {
            name: _Tool(
                tool["denials"],
                (frozenset(tool["basis"][0]), *tool["basis"][1:]) if tool["basis"] else (),
                tool["calls"],
                now - passed + tool["until"] if tool["until"] else 0.0,
            )
            for name, tool in state["tools"].items()
        }
        core._seen = dict.fromkeys(state["seen"])
        core._waiting = deque(_incoming(report) for report in state["waiting"])


def _basis(tool: _Tool) -> list[Any]:
    return [sorted(tool.basis[0]), *tool.basis[1:]] if tool.basis else []


def _verdict(state: Mapping[str, Any]) -> Verdict:
    return Verdict(**{**state, "action": Action(state["action"])})


def _outgoing(report: Outgoing) -> dict[str, Any]:
    return {
        "instance_id": report.instance_id,
        "report": asdict(report.report),
        "context": dict(report.context),
        "key": report.key,
        "urgent": report.urgent,
    }


def _incoming(state: Mapping[str, Any]) -> Outgoing:
    report = Report(**{**state["report"], "mode": Mode(state["report"]["mode"])})
    return Outgoing(state["instance_id"], report, state["context"], state["key"], state["urgent"])
