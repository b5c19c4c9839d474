"""Prints, as JSON, what the Python SDK makes of generated events, tools, patterns and values: the TypeScript SDK must agree."""

import json
import random
import sys
from fnmatch import fnmatchcase

from identity_os_sdk.models import Action
from identity_os_sdk.observer import RULES, Event, Memory, digest, observe, rules_with
from identity_os_sdk.tools import VERBS, ToolMap, words

SEED, RUNS, EVENTS = 20_260, 60, 120


def events(chance):
    """A run: few tools, so that failures and results repeat; at times many, so that some are forgotten."""
    tools = [f"tool_{number}" for number in range(chance.choice([1, 3, 6, 80]))]
    errors = [None, None, None, "the backend is down", "request timed out", "HTTP 429", "rate-limit", "TIME OUT", ""]
    classes = ["RuntimeError", "TimeoutError", "error", None]
    for _ in range(EVENTS):
        if chance.random() < 0.1:
            yield Event(chance.choice(sorted(RULES)))
            continue
        error = chance.choice(errors)
        yield Event(
            "call",
            chance.choice(tools),
            chance.choice(list(Action)),
            chance.random() < 0.2,
            chance.choice("ab"),
            chance.choice(["", "r", "r", "s"]),
            error,
            None if error is None else chance.choice(classes),
        )


def run(chance):
    strengths = {name: chance.choice([0.125, 0.3, 0.625, 0.875, 1, round(chance.random(), 3)]) for name in RULES}
    changed = chance.choice([{}, strengths])
    memory, rows = Memory(), []
    for event in events(chance):
        stressed = chance.random() < 0.3
        memory, report = observe(memory, event, stressed, rules_with(changed))
        fields = {name: getattr(event, name) for name in ("kind", "tool", "plan", "arguments", "result", "error")}
        fields |= {"action": event.action.value, "errorClass": event.error_class}
        known = {name: value for name, value in fields.items() if value is not None}
        rows.append([known, stressed, report.rule, report.mode, report.strength, report.severity])
    return {"rules": changed, "rows": rows}


def names(chance):
    """Tool names of verbs and other words, in the ways that people write them."""
    parts = [*(verb for verbs in VERBS.values() for verb in verbs), "user", "HTTP", "2", "issue", "x"]
    for _ in range(400):
        chosen = [chance.choice(parts) for _ in range(chance.randint(0, 4))]
        styles = ["_".join(chosen), "-".join(chosen), "".join(part.capitalize() for part in chosen), " ".join(chosen)]
        yield chance.choice(["", "mcp__github__", "x__"]) + chance.choice(styles)


def action_of(name):
    hints = [{}, {"readOnlyHint": True}, {"readOnlyHint": True, "openWorldHint": True}, {"destructiveHint": True}]
    hints += [{"title": "A title"}, {"title": "T", "readOnlyHint": None}, {"readOnlyHint": "false"}, {"idempotentHint": False}]
    annotations = hints[len(name) % len(hints)]
    found = ToolMap({"*_x": "comfort", "[gG]et_[!u]*": "pivot"}, "challenge", {name: annotations}).action_of(name)
    return [name, annotations, words(name), found.action.value, found.source, found.outside, found.plan]


PARTS = ["a", "b", "*", "?", "[ab]", "[!a]", "[a-c]", "[", "]", "!", "^", ".", "[]a]", "+", "[^a]"]


def patterns(chance):
    for _ in range(600):
        pattern = "".join(chance.choice(PARTS) for _ in range(4))
        name = "".join(chance.choice("abc]![^.+") for _ in range(chance.randint(0, 5)))
        yield [pattern, name, fnmatchcase(name, pattern)]


VALUES = [
    *(None, True, "", 'ü\n\u2028\x7f😀"\\', 0, -7, 2**53 - 1, 0.1, 1.5e300, [], {}, [[], {}, None]),
    {"b": 1, "a": {"d": [True], "c": "x"}},
    {"order": 7, "ids": ["A-7", "B-8"], "Ü": {"z": None}},
]

chance = random.Random(SEED)
json.dump(
    {
        "runs": [run(chance) for _ in range(RUNS)],
        "tools": [action_of(name) for name in names(chance)],
        "patterns": list(patterns(chance)),
        "digests": [[value, digest(value)] for value in VALUES],
    },
    sys.stdout,
)
