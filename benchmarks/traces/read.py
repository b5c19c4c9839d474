"""Reads `agents.jsonl.gz`: one run a line, without any text. What each set's owner would declare of its tools stands here too.

    {"set", "model", "task", "ok", "att", "br", "e": events}
    ["u", heated]  ["s", refusing]  ["c", tool, hash of arguments, with a plan]  ["r", worked, attack-like text]

`ok`: the run did what was asked. `att`: an injected instruction was in a result. `br`: the agent followed it. A recording has
hashes of arguments and none of results: the same call is taken to bring the same result within a run, and never across runs.
"""

import gzip
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from identity_os_sdk.models import Action
from identity_os_sdk.replay import Called, Returned, Run, Said, Step
from identity_os_sdk.tools import ToolPolicy

#: What the text of a result holds where the recording says that it looks like an attack.
ATTACK = "attack-like"

_READ, _WEB = Action.CLARIFY, ToolPolicy("explore", outside=True)
_OUT = ToolPolicy("execute", outside=True)
#: What each set's owner declares: reads that their names do not tell, and what reaches outside. The rest is told by its verb.
TOOLS: Mapping[str, Mapping[str, Any]] = {
    "dojo": {"get_webpage": ToolPolicy("clarify", outside=True), "send_*": _OUT, "invite_*": _OUT, "share_file": _OUT},
    "luna": {
        **dict.fromkeys(("inspect_*", "retrieve_*", "review_*", "trace_*", "assess_*", "validate_*", "locate_*"), _READ),
        **dict.fromkeys(("describe_*", "compare_*", "summarize_*", "preview_*", "classify_*", "map_*", "verify_*"), _READ),
        **dict.fromkeys(("open_webpage", "search_web"), _WEB),
    },
    **{name: {"think": ToolPolicy("clarify", plan=True)} for name in ("tau-air", "tau2-air", "tau2-ret")},
}


@dataclass(frozen=True, slots=True)
class Recorded:
    """A run with what only this recording knows: its set, and whether the agent followed an injected instruction."""

    set: str
    run: Run
    broken: bool


def read(path: Path) -> list[Recorded]:
    """All runs of the file. `agent` is the set: each set is one agent that is kept for all its runs."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [_recorded(number, json.loads(line)) for number, line in enumerate(file, 1) if line.strip()]


def _recorded(number: int, line: Mapping[str, Any]) -> Recorded:
    steps: list[Step] = []
    calls, open_calls = 0, deque[str]()
    for event in line["e"]:
        match event:
            case ["u", heated]:
                steps.append(Said("person", "message", "heated" if heated else "plain"))
            case ["s", refusing]:
                steps.append(Said("agent", "message", "refusing" if refusing else "plain"))
            case ["c", tool, arguments, _]:
                calls += 1
                open_calls.append(str(calls))
                steps.append(Called(tool, arguments, str(calls)))
            case ["r", worked, attack]:
                text = f"{ATTACK if attack else 'text'} of run {number}"
                # Calls that were made together are answered in their order.
                call_id = open_calls.popleft() if open_calls else str(calls)
                steps.append(Returned(call_id, text if worked else None, None if worked else f"error: {text}"))
            case _:
                raise ValueError(f"line {number}: unknown event {event}")
    task = f"{line['set']}/{line['task']}"
    run = Run(str(number), line["set"], task, tuple(steps), line["ok"], line["att"], f"line {number}")
    return Recorded(line["set"], run, line["br"])
