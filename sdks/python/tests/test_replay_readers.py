"""Recordings of other people's formats become the same steps. The files are made by hand after each format's form."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from identity_os_sdk.commands import replay as command
from identity_os_sdk.errors import InvalidArgumentError
from identity_os_sdk.replay import Called, Returned, Said
from identity_os_sdk.replay.readers import FORMATS, ErrorRules, read
from identity_os_sdk.replay.readers.files import Document
from identity_os_sdk.replay.readers.reading import Reading

# A conversation: ("user", text), ("agent", text), ("call", [(id, tool, arguments)]), ("result", id, tool, text, failed).
REFUND = [
    ("user", "Please refund order 7"),
    ("agent", "One moment"),
    ("call", [("c1", "get_order", {"order": 7}), ("c2", "search_policy", {"about": "refunds"})]),
    ("result", "c1", "get_order", '{"paid": true}', False),
    ("result", "c2", "search_policy", "within 30 days", False),
    ("call", [("c3", "refund", {"order": 7})]),
    ("result", "c3", "refund", "Error: the backend is down", True),
    ("agent", "It did not work"),
]


def openai(turns):
    messages = [{"role": "system", "content": "Be kind."}]
    for turn in turns:
        match turn:
            case ("user" | "agent" as who, text):
                messages.append({"role": {"user": "user", "agent": "assistant"}[who], "content": text})
            case ("call", calls):
                functions = [
                    {"id": i, "type": "function", "function": {"name": tool, "arguments": json.dumps(arguments)}}
                    for i, tool, arguments in calls
                ]
                messages.append({"role": "assistant", "content": None, "tool_calls": functions})
            case ("result", call_id, tool, text, _):
                messages.append({"role": "tool", "tool_call_id": call_id, "name": tool, "content": text})
    return messages


def tau(turns):
    return {"task_id": 4, "reward": 1.0, "info": {"task": {}}, "traj": openai(turns), "trial": 2}


def tau2(turns):
    messages = []
    for number, turn in enumerate(turns):
        match turn:
            case ("user" | "agent" as who, text):
                messages.append({"role": {"user": "user", "agent": "assistant"}[who], "content": text, "tool_calls": None})
            case ("call", calls):
                made = [{"id": i, "name": tool, "arguments": a, "requestor": "assistant"} for i, tool, a in calls]
                messages.append({"role": "assistant", "content": None, "tool_calls": made})
            case ("result", call_id, _, text, failed):
                result = {"id": call_id, "role": "tool", "content": text, "requestor": "assistant", "error": failed}
                messages.append(result)
        messages[-1]["turn_idx"] = number
    info = {"agent_info": {"llm": "some-model"}, "environment_info": {"domain_name": "retail"}}
    simulation = {"id": "sim-1", "task_id": "12", "trial": 0, "reward_info": {"reward": 0.0}, "messages": messages}
    return {"timestamp": "2026-01-01T00:00:00", "info": info, "tasks": [], "simulations": [simulation]}


def agentdojo(turns):
    messages = []
    for turn in turns:
        match turn:
            case ("user" | "agent" as who, text):
                role = {"user": "user", "agent": "assistant"}[who]
                messages.append({"role": role, "content": [{"type": "text", "content": text}], "tool_calls": None})
            case ("call", calls):
                made = [{"function": tool, "args": a, "id": i, "placeholder_args": None} for i, tool, a in calls]
                messages.append({"role": "assistant", "content": None, "tool_calls": made})
            case ("result", call_id, tool, text, failed):
                call = {"function": tool, "args": {}, "id": call_id}
                content = [{"type": "text", "content": text}]
                error = text if failed else None
                result = {"role": "tool", "content": content, "tool_call_id": call_id, "tool_call": call, "error": error}
                messages.append(result)
    about = {"suite_name": "banking", "pipeline_name": "some-model", "user_task_id": "user_task_3"}
    return {**about, "injection_task_id": None, "attack_type": None, "messages": messages, "utility": True, "security": True}


def langchain(turns):
    messages = [{"type": "system", "content": "Be kind."}]
    for turn in turns:
        match turn:
            case ("user" | "agent" as who, text):
                messages.append({"type": {"user": "human", "agent": "ai"}[who], "content": text, "tool_calls": []})
            case ("call", calls):
                made = [{"name": tool, "args": a, "id": i, "type": "tool_call"} for i, tool, a in calls]
                messages.append({"type": "ai", "content": "", "tool_calls": made})
            case ("result", call_id, tool, text, failed):
                status = "error" if failed else "success"
                messages.append({"type": "tool", "content": text, "tool_call_id": call_id, "name": tool, "status": status})
    return messages


def as_dicts(turns):
    return [{"type": message["type"], "data": message} for message in langchain(turns)]


def constructors(turns):
    names = {"system": "SystemMessage", "human": "HumanMessage", "ai": "AIMessage", "tool": "ToolMessage"}
    return [
        {
            "lc": 1,
            "type": "constructor",
            "id": ["langchain", "schema", "messages", names[message["type"]]],
            "kwargs": {name: value for name, value in message.items() if name != "type"},
        }
        for message in langchain(turns)
    ]


def jsonl(turns):
    steps = []
    for turn in turns:
        match turn:
            case ("user" | "agent" as who, text):
                steps.append({"said": {"user": "person", "agent": "agent"}[who], "text": text})
            case ("call", calls):
                steps += [{"called": tool, "arguments": arguments, "id": i} for i, tool, arguments in calls]
            case ("result", call_id, _, text, failed):
                steps.append({"returned": call_id, "result": text, "error": text if failed else None})
    return {"id": "42", "agent": "support-bot", "task": "refund", "succeeded": True, "steps": steps}


WRITERS = {
    "openai": [openai],
    "tau": [tau, tau2],
    "agentdojo": [agentdojo],
    "langchain": [langchain, as_dicts, constructors],
    "jsonl": [jsonl],
}
ALL = [(name, write) for name, writers in WRITERS.items() for write in writers]


def read_all(*paths, **options):
    problems, formats = [], []
    runs = list(read(paths, problem=problems.append, recognised=lambda _, name: formats.append(name), **options))
    return runs, [str(problem) for problem in problems], formats


def written(tmp_path, name, value):
    path = tmp_path / name
    path.write_text(value if isinstance(value, str) else json.dumps(value, indent=2))
    return path


def steps_of(format_name, value):
    problems = []
    [run] = FORMATS[format_name].runs([Document(value, Path("runs.json"))], Reading(problems.append))
    assert problems == []
    return [(step.call_id, step.result, step.error is not None) if isinstance(step, Returned) else step for step in run.steps]


def test_a_conversation_in_steps():
    assert steps_of("openai", openai(REFUND)) == [
        Said("person", "Please refund order 7"),
        Said("agent", "One moment"),
        Called("get_order", {"order": 7}, "c1"),
        Called("search_policy", {"about": "refunds"}, "c2"),
        ("c1", '{"paid": true}', False),
        ("c2", "within 30 days", False),
        Called("refund", {"order": 7}, "c3"),
        ("c3", "Error: the backend is down", True),
        Said("agent", "It did not work"),
    ]


TEXTS = st.text(min_size=1, max_size=20).filter(str.strip)
ARGUMENTS = st.dictionaries(st.text(max_size=5), st.none() | st.booleans() | st.integers() | st.text(max_size=5), max_size=3)


@st.composite
def conversations(draw):
    turns, open_calls = [], []
    for _ in range(draw(st.integers(0, 8))):
        kind = draw(st.sampled_from(["user", "agent", "call", "result"]))
        if kind in ("user", "agent"):
            turns.append((kind, draw(TEXTS)))
        elif kind == "call":
            ids = st.sampled_from(["c1", "c2", "c3"])  # recordings use an id again
            calls = draw(st.lists(st.tuples(ids, st.sampled_from(["get_order", "refund"]), ARGUMENTS), min_size=1, max_size=3))
            open_calls += [(call_id, tool) for call_id, tool, _ in calls]
            turns.append(("call", calls))
        elif open_calls:
            call_id, tool = draw(st.sampled_from(open_calls))
            open_calls.remove((call_id, tool))
            failed = draw(st.booleans())
            turns.append(("result", call_id, tool, "Error: down" if failed else "fine: " + draw(TEXTS), failed))
    return turns


@settings(max_examples=60, deadline=None)
@given(conversations())
def test_the_same_conversation_gives_the_same_steps_in_every_format(turns):
    expected = steps_of("openai", openai(turns))
    assert sum(isinstance(step, Called) for step in expected) == sum(len(turn[1]) for turn in turns if turn[0] == "call")
    for format_name, write in ALL[1:]:
        assert steps_of(format_name, write(turns)) == expected, write.__name__


@pytest.mark.parametrize(("format_name", "write"), ALL)
def test_each_format_is_recognised_as_a_file_a_list_and_lines(tmp_path, format_name, write):
    one = written(tmp_path, "one.json", write(REFUND))
    many = written(tmp_path, "many.json", [write(REFUND), write(REFUND)])
    lines = written(tmp_path, "lines.jsonl", "\n".join([json.dumps(write(REFUND)), "", json.dumps(write(REFUND))]) + "\n")
    packed = tmp_path / "packed.json.gz"
    packed.write_bytes(gzip.compress(many.read_bytes()))
    named = {"one.json": 1, "many.json": 2, "lines.jsonl": 2, "packed.json.gz": 2}
    for path in (one, many, lines, packed):
        runs, problems, formats = read_all(path)
        assert (len(runs), problems, formats) == (named[path.name], [], [format_name])
        assert {len(run.steps) for run in runs} == {len(steps_of("openai", openai(REFUND)))}
    assert [run.source for run in read_all(lines)[0]] == [f"{lines}:1", f"{lines}:3"]
    assert [run.source for run in read_all(many)[0]] == [f"{many}, item 1", f"{many}, item 2"]
    # The runs of a tau2-bench file are items of it.
    assert [run.source for run in read_all(one)[0]] == [f"{one}, item 1" if write is tau2 else str(one)]


@pytest.mark.parametrize(
    ("write", "run_id", "agent", "task", "succeeded", "attacked"),
    [
        (tau, "4/2", "runs", "4", True, False),
        (tau2, "sim-1", "some-model retail", "12", False, False),
        (agentdojo, "some-model/banking/user_task_3", "some-model banking", "banking/user_task_3", True, False),
        (jsonl, "42", "support-bot", "refund", True, None),
        (lambda turns: {"messages": openai(turns), "model": "m", "succeeded": False}, None, "m", "", False, None),
        (openai, None, "agent", "", None, None),
        (langchain, None, "agent", "", None, None),
    ],
)
def test_what_each_format_knows_of_a_run(tmp_path, write, run_id, agent, task, succeeded, attacked):
    path = written(tmp_path, "runs.json", write(REFUND))
    [run] = read_all(path)[0]
    assert (run.id, run.agent, run.task) == (run_id or str(path), agent, task)
    assert (run.succeeded, run.attacked) == (succeeded, attacked)


def test_an_attacked_run_of_agentdojo_and_a_line_with_metadata():
    value = agentdojo(REFUND) | {"injection_task_id": "injection_task_0", "attack_type": "ignore_previous", "utility": None}
    metadata = {name: value.pop(name) for name in list(value) if name != "messages"}
    [run] = FORMATS["agentdojo"].runs([Document({**value, "metadata": metadata}, Path("x"))], Reading(print))
    assert (run.attacked, run.succeeded) == (True, None)
    assert run.id == "some-model/banking/user_task_3/ignore_previous/injection_task_0"


def test_agents_are_told_apart_as_asked(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        written(tmp_path / folder, "1.json", openai(REFUND))
        written(tmp_path / folder, "2.json", openai(REFUND))
    counts = {
        by: len({run.agent for run in read_all(tmp_path, agent_by=by)[0]}) for by in ("recording", "one", "folder", "file")
    }
    assert counts == {"recording": 1, "one": 1, "folder": 2, "file": 4}


def test_other_ways_to_write_a_call():
    messages = [
        {"role": "assistant", "function_call": {"name": "get_order", "arguments": "7"}},
        {"role": "function", "name": "get_order", "content": "paid"},
        {"type": "function_call", "name": "refund", "arguments": '{"order": 7}', "call_id": "x"},
        {"type": "function_call_output", "call_id": "x", "output": "done"},
        {"role": "assistant", "content": None, "refusal": "I cannot do that"},
    ]
    assert steps_of("openai", messages) == [
        Called("get_order", "7", "call-1"),
        ("call-1", "paid", False),
        Called("refund", {"order": 7}, "x"),
        ("x", "done", False),
        Said("agent", "I cannot do that", "refusing"),
    ]


def test_calls_of_tau2s_user_are_not_the_agents():
    value = tau2([("user", "hi")])
    value["simulations"][0]["messages"] += [
        {"role": "user", "tool_calls": [{"id": "u1", "name": "toggle_roaming", "arguments": {}, "requestor": "user"}]},
        {"role": "tool", "tool_messages": [{"role": "tool", "id": "u1", "content": "on", "requestor": "user", "error": False}]},
    ]
    assert steps_of("tau", value) == [Said("person", "hi")]


@pytest.mark.parametrize(
    ("result", "flag", "failed", "rule"),
    [
        ("Error: no such order", None, True, "begins like an error"),
        ("  [ERROR] down", None, True, "begins like an error"),
        ("ValueError: 7", None, True, "begins like an error"),
        ("Traceback (most recent call last):", None, True, "begins like an error"),
        ("invalid order id", None, True, "begins like an error"),
        ("Failed to connect", None, True, "begins like an error"),
        ("failedover to the second host", None, False, "nothing says error"),
        ("Order 7 not found", None, True, "short, and says not found"),
        ("Order 7 not found. " + "x" * 200, None, False, "nothing says error"),
        ('{"error": "no such order"}', None, True, "an error field"),
        ('{"error": null, "order": 7}', None, False, "nothing says error"),
        ({"error": "no such order"}, None, True, "an error field"),
        ({"order": 7}, None, False, "nothing says error"),
        (None, None, False, "nothing says error"),
        ("Error: but it worked", False, False, "the recording says worked"),
        ("done", True, True, "the recording says error"),
    ],
)
def test_whether_a_result_is_an_error(result, flag, failed, rule):
    error, said = ErrorRules().judge(result, flag)
    assert (error is not None, said) == (failed, rule)


def test_the_users_own_pattern_takes_the_place_of_the_rules_of_text():
    rules = ErrorRules.of(r"^no such")
    assert rules.judge("No such order", False) == ("No such order", "--error-pattern")
    assert rules.judge("Error: down") == (None, "nothing says error")
    assert rules.judge("fine", True) == ("fine", "the recording says error")
    with pytest.raises(InvalidArgumentError, match="--error-pattern"):
        ErrorRules.of("(")


def test_the_commands_formats_are_the_readers():
    assert list(command.FORMATS) == list(FORMATS)
    with pytest.raises(InvalidArgumentError, match="one of history, otel"):
        list(read([], "yaml", problem=print))
