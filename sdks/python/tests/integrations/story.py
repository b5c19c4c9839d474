"""The conformance story: one file of expectations drives every adapter (conformance.json).

An adapter's test module brings `play(script, guard) -> list[str]`: it runs a real agent of its framework, whose model makes the
calls of the script one by one, and returns, for each call in order, what the model received as that tool's result.
"""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from identity_os_sdk import Guard, IdentityOS
from identity_os_sdk.local import LocalEngine

STORIES = json.loads((Path(__file__).parent / "conformance.json").read_text())
TOOLS = {"pay": "execute", "read_file": "clarify", "search_web": "explore"}


class ToolFailed(Exception):
    """What a tool of the script raises."""


class Script:
    """What happens in a story: the model's calls, what the tools do, and what a person answers when asked."""

    ToolFailed = ToolFailed

    def __init__(self, story):
        self.calls = [SimpleNamespace(tool=call[0], args={"target": call[1]}) for call in story["calls"]]
        self.tools = sorted({call.tool for call in self.calls})
        self.decisions = list(story.get("decisions", []))
        self._outcomes = story["tools"]
        self._lock = threading.Lock()
        #: The tools that really ran, in order.
        self.ran = []

    def run(self, tool, args):
        """Run a tool: its text, or ToolFailed."""
        with self._lock:
            self.ran.append(tool)
        outcome = self._outcomes[tool]
        if "error" in outcome:
            raise ToolFailed(outcome["error"])
        return f"{outcome['result']} {args['target']}"


class RecordingEngine(LocalEngine):
    """An engine in this process that keeps what was reported; `away` makes every call fail."""

    def __init__(self):
        super().__init__(":memory:")
        self.reports, self.away = [], False

    def process(self, instance_id, mode_target, signal_strength, *args, **options):
        if self.away:
            raise ConnectionError("the engine is away")
        mode = getattr(mode_target, "value", mode_target)
        self.reports.append([mode, signal_strength, *(["incident"] if options.get("severity") == "incident" else [])])
        return super().process(instance_id, mode_target, signal_strength, *args, **options)

    def get_contract(self, *args, **options):
        if self.away:
            raise ConnectionError("the engine is away")
        return super().get_contract(*args, **options)


def kind_of(message, script):
    """What a message to the model is: result, error, denied, or refused."""
    if "was refused by a person" in message:
        return "refused"
    if "is not allowed" in message or "waits for a person" in message:
        return "denied"
    return "error" if any(outcome.get("error", "\0") in message for outcome in script._outcomes.values()) else "result"


def new_guard(story, engine=None, **options):
    """A guard as a story wants it."""
    engine = engine or RecordingEngine()
    engine.away = story.get("away", False)
    detectors = [lambda text, mark=story["detector"]: mark in text] if "detector" in story else []
    return Guard(
        engine, "inst_story", tools=TOOLS, detectors=detectors, on_unreachable=story.get("on_unreachable", "safe"), **options
    )


def cases(play: Callable, *, can_pause: bool = True):
    """The test of all stories for an adapter. `can_pause`: whether the framework can ask a person; else a pause is a denial."""

    @pytest.mark.parametrize("story", STORIES, ids=lambda story: story["name"])
    def test_conformance(story):
        guard, script = new_guard(story), Script(story)
        messages = play(script, guard)
        expected = story["expected"] if can_pause or "without_pauses" not in story else story["without_pauses"]
        assert [kind_of(message, script) for message in messages] == expected["seen"]
        assert script.ran == expected["ran"]
        assert guard.engine.reports == expected["reports"]

    return test_conformance


def observed(play: Callable):
    """The test of all stories for what only observes: every call runs, and the reports are those of a guard in observe mode.

    `play(script, guard)` returns when all is reported.
    """

    @pytest.mark.parametrize("story", STORIES, ids=lambda story: story["name"])
    def test_observed(story):
        guard, script = new_guard(story), Script(story)
        play(script, guard)
        assert script.ran == [call.tool for call in script.calls]
        assert guard.engine.reports == story["observed"]["reports"]
        assert guard.would_have == story["observed"]["would_have"]

    return test_observed


def two_at_once(play: Callable):
    """Two agents at once, a guard each over one engine: neither hears of the other's failures."""
    failing = next(story for story in STORIES if story["name"] == "a tool fails until it is denied")
    reading = next(story for story in STORIES if story["name"] == "reading stays allowed")

    def test_two_agents_at_once():
        engine = RecordingEngine()
        seen = {}

        def run(name, story):
            guard = Guard(engine, f"inst_{name}", tools=TOOLS)
            seen[name] = (play(Script(story), guard), guard)

        threads = [threading.Thread(target=run, args=(name, story)) for name, story in (("bad", failing), ("good", reading))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert seen["bad"][1].contract.stress_state == "HIGH"
        assert seen["good"][1].contract.stress_state == "LOW"
        assert "execute" in seen["good"][1].contract.allowed_actions

    return test_two_agents_at_once


PAGE = Path(__file__).resolve().parents[4] / "docs" / "integrations.md"


def capabilities(play: Callable):
    """What an adapter can do, as measured: observe, deny with the reason, tell the prompt, pause and resume."""
    by_name = {story["name"]: story for story in STORIES}
    failing, pausing = by_name["a tool fails until it is denied"], by_name["a pause is approved once and then refused"]
    guard, told = new_guard(failing), []
    prompt = guard.core.prompt
    guard.core.prompt = lambda: told.append(1) or prompt()
    messages = play(Script(failing), guard)
    script = Script(pausing)
    answers = [kind_of(message, script) for message in play(script, new_guard(pausing))]
    return {
        "observe": bool(guard.engine.reports),
        "deny": "execute is not allowed while stress is HIGH" in messages[3],
        "prompt": bool(told),
        "pause": "refused" in answers and script.ran.count("pay") == 4,
    }


def table_row(name: str, play: Callable):
    """The test that the adapter's row of docs/integrations.md says what was measured. It prints the row."""

    def test_table_says_what_the_adapter_can_do():
        found = capabilities(play)
        row = f"| `{name}` | {' | '.join('yes' if found[what] else 'no' for what in ('observe', 'deny', 'prompt', 'pause'))} |"
        print(row)
        assert row in PAGE.read_text()

    return test_table_says_what_the_adapter_can_do


def against_the_api(play: Callable):
    """The same agent over a running server: the same messages to the model, and the same reports in its history."""

    def test_against_the_api(server):
        url, keys = server
        failing = next(story for story in STORIES if story["name"] == "a tool fails until it is denied")
        script = Script(failing)
        with IdentityOS(keys["enterprise"], url) as client:
            guard = Guard.open(client, f"story of {play.__module__}", tools=TOOLS)
            messages = play(script, guard)
            rows = client.engine.get_history(guard.instance_id).data
        assert [kind_of(message, script) for message in messages] == failing["expected"]["seen"]
        assert script.ran == failing["expected"]["ran"]
        assert [[row.mode_target, row.signal_strength] for row in reversed(rows)] == failing["expected"]["reports"]

    return test_against_the_api
