"""What cannot be read is named with its file and line, and the rest is read. No value of JSON breaks a reader."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from identity_os_sdk.replay import Run, Settings, play
from identity_os_sdk.replay.readers import FORMATS, files, read
from identity_os_sdk.replay.readers.files import Document
from identity_os_sdk.replay.readers.reading import Reading

HINT = "--format says which one it is"
CUT = "Compressed file ended before the end-of-stream marker was reached"
GOOD = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]


def outcome(path, text, **options):
    """How many runs a file gives, and what is said of the rest; {} stands for the path."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    problems = []
    runs = list(read([path], problem=problems.append, **options))
    return len(runs), [str(problem).replace(str(path), "{}") for problem in problems]


@pytest.mark.parametrize(
    ("name", "text", "runs", "problems"),
    [
        ("a.jsonl", "", 0, ["{}: an empty file"]),
        ("a.json", " \n\n", 0, ["{}: an empty file"]),
        ("a.json", "[]", 0, ["{}: an empty list"]),
        ("a.json", '[{"simulations": []}]', 0, ["{}: no run in it"]),
        ("a.json", '{"resourceSpans": []}', 0, ["{}: an empty list"]),
        ("a.jsonl", '{"format": "identity-os-audit/2"}', 0, ["{}: no run in it"]),
        ("a.json", "hello", 0, ["{}: not JSON: it begins with 'hello'"]),
        ("a.json", b"\x89PNG\0\0\x1a\n\0", 0, ["{}: not JSON: a binary file, or text that is not UTF-8"]),
        ("a.json", json.dumps(GOOD).encode("utf-16"), 0, ["{}: not JSON: a binary file, or text that is not UTF-8"]),
        ("a.json", b"\xef\xbb\xbf" + json.dumps(GOOD).encode(), 1, []),
        ("a.jsonl", b"\xef\xbb\xbf" + json.dumps(GOOD).encode() + b"\n" + json.dumps(GOOD).encode(), 2, []),
        (
            "a.jsonl",
            f"{json.dumps(GOOD)}\n{{oops\n{json.dumps(GOOD)}\n",
            2,
            ["{}:2: not JSON: Expecting property name enclosed in double quotes (column 2)"],
        ),
        ("a.jsonl", b'"\xff"\n' + json.dumps(GOOD).encode(), 1, ["{}:1: not JSON: text that is not UTF-8"]),
        (
            "a.json",
            f"[\n{json.dumps(GOOD)},\n{json.dumps(GOOD)},\noops]",
            2,
            ["{}:4: broken JSON: Expecting value (column 1); what came before it was read"],
        ),
        (
            "a.json",
            f"[\n{json.dumps(GOOD)},\n",
            1,
            ["{}:3: broken JSON: Expecting value (column 1); what came before it was read"],
        ),
        ("a.json", '[\n{"role": "user", "content": "hi"},\n', 0, ["{}:3: broken JSON: Expecting value (column 1)"]),
        ("a.json", f'{{"messages": {json.dumps(GOOD)}, "score": NaN}}', 1, []),
        ("a.json", f'[{{"messages": {json.dumps(GOOD)}}},\n{{"messages": {json.dumps(GOOD)}, "score": NaN}}]', 2, []),
        (
            "a.json",
            '{"colour": "red"}',
            0,
            [f"{{}}: none of the known formats ({', '.join(FORMATS)}); --format says which one it is"],
        ),
        ("a.json", gzip.compress(json.dumps(GOOD).encode()), 1, []),
        (
            "a.json.gz",
            gzip.compress(json.dumps(GOOD).encode())[:-9],
            0,
            [f"{{}}: cannot be read: {CUT}"],
        ),
        ("a.jsonl", "[" * 100_000, 0, ["{}:1: not JSON: it is nested too deeply"]),
    ],
)
def test_what_is_wrong_with_a_file(tmp_path, name, text, runs, problems):
    assert outcome(tmp_path / name, text) == (runs, problems)


def test_a_file_of_other_lines_is_given_up(tmp_path):
    runs, problems = outcome(tmp_path / "log.jsonl", "INFO started\n" * 1000)
    assert (runs, len(problems), problems[-1]) == (0, 21, "{}: given up: its first 20 lines are not JSON")


def test_folders_and_names(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    for name in ("b.json", "a.jsonl.gz", "deep/er/c.ndjson", "notes.txt", ".git/d.json"):
        (tmp_path / name).write_text(json.dumps(GOOD))
    problems = []
    runs = list(read([tmp_path, tmp_path / "nothing.json"], problem=problems.append))
    assert [Path(run.source).name for run in runs] == ["a.jsonl.gz:1", "b.json", "c.ndjson:1"]
    assert [str(problem) for problem in problems] == [f"{tmp_path / 'nothing.json'}: there is no such file"]
    [run] = read([tmp_path / "notes.txt"], problem=problems.append)
    assert run.source.endswith("notes.txt"), "a file that is named is read whatever its name"
    (tmp_path / "empty").mkdir()
    assert list(read([tmp_path / "empty"], problem=problems.append)) == []
    assert "no file in it ends with .json" in problems[-1].message


@pytest.mark.parametrize(
    ("format_name", "value", "message"),
    [
        ("openai", {"role": "user", "content": "hi"}, "a message, not a run: the messages of a run belong into one list"),
        ("openai", 7, "messages is no list"),
        ("openai", {"id": "x"}, "messages is missing"),
        ("openai", [*GOOD, {"role": "critic", "content": "no"}], "a message of an unknown role 'critic'"),
        ("openai", [*GOOD, {"role": "tool", "tool_call_id": "x", "content": "hi"}], "a tool result without a call (x)"),
        ("openai", [*GOOD, {"role": "assistant", "tool_calls": [{"id": "x"}]}], "a tool call without a name"),
        ("openai", [*GOOD, {"role": "assistant", "tool_calls": [7]}], "a tool call that is no object"),
        ("openai", [*GOOD, "hi"], "a message that is no object"),
        ("langchain", [{"type": "human", "content": "hi"}, {"type": "oracle"}], "a message of an unknown type 'oracle'"),
        ("langchain", [{"type": "human", "content": "hi"}, 7], "a message that is no object"),
        ("tau", {"task_id": 1}, "no tau-bench run: it has neither traj nor simulations"),
        ("tau", {"traj": None}, "traj is missing"),
        ("tau", {"simulations": [{"id": "x"}]}, "messages is missing"),
        ("agentdojo", {"messages": GOOD}, "no AgentDojo run: user_task_id is missing"),
        ("agentdojo", {"user_task_id": "t", "messages": 1}, "messages is no list"),
        ("jsonl", {"steps": [{"waited": 3}]}, "step 1: a step has said, called or returned"),
        (
            "jsonl",
            {"steps": [{"said": "cat"}]},
            "step 1: said is person or agent, text is a text, tone one of plain",
        ),
        ("jsonl", {"steps": [{"called": 3}]}, "step 1: called is the name of a tool"),
        (
            "jsonl",
            {"steps": [{"called": "t", "id": "c"}, {"returned": "c", "error": 7}]},
            "step 2: error is a text, null, or absent",
        ),
        ("jsonl", {"steps": [7]}, "step 1: no step: it is no object"),
        ("jsonl", {"steps": [], "succeeded": "yes"}, "succeeded is true, false, or absent"),
        ("otel", {"name": "chat"}, "a span without a trace id"),
        ("otel", {"name": "chat", "traceId": "t", "startTimeUnixNano": None}, "a span without a start"),
        ("otel", 7, "no span: it is no object"),
        ("history", {"seq": 1}, "neither an observation nor an audit record"),
        ("history", {"mode_target": "RAGE", "signal_strength": 1}, "mode_target 'RAGE': one of PERCEPTION, "),
        ("history", {"mode_target": "ORDER", "signal_strength": 2}, "signal_strength 2: a number from 0 to 1"),
        (
            "history",
            {"mode_target": "ORDER", "signal_strength": 1, "severity": "incident"},
            "severity incident goes with",
        ),
        ("history", {"record": 1, "kind": "created", "observations": [], "state": {}}, "the record's state cannot be read"),
    ],
)
def test_what_is_wrong_with_a_run(format_name, value, message):
    problems = []
    list(FORMATS[format_name].runs([Document(value, Path("x.json"), ":3")], Reading(problems.append)))
    [problem] = problems
    assert problem.source == "x.json:3"
    assert problem.message.startswith(message)


def test_a_bad_run_does_not_take_its_neighbours_with_it(tmp_path):
    lines = [json.dumps(GOOD), '{"messages": 7}', json.dumps(GOOD)]
    assert outcome(tmp_path / "a.jsonl", "\n".join(lines)) == (2, ["{}:2: messages is no list"])
    simulations = [{"id": "1", "messages": GOOD}, {"id": "2"}, {"id": "3", "messages": GOOD}]
    text = json.dumps({"info": {}, "simulations": simulations}, indent=1)
    assert outcome(tmp_path / "b.json", text) == (2, ["{}, item 2: messages is missing"])


def test_a_long_list_is_not_taken_at_once(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    path.write_text(json.dumps([GOOD] * 50))
    monkeypatch.setattr(json, "loads", None)
    first = next(iter(read([path], problem=print)))
    assert first.source == f"{path}, item 1"


FIELDS = [
    "role",
    "type",
    "content",
    "messages",
    "tool_calls",
    "function",
    "name",
    "arguments",
    "args",
    "id",
    "call_id",
    "tool_call_id",
    "error",
    "status",
    "steps",
    "said",
    "called",
    "returned",
    "result",
    "text",
    "tone",
    "traj",
    "simulations",
    "reward",
    "reward_info",
    "task_id",
    "info",
    "metadata",
    "user_task_id",
    "utility",
    "resourceSpans",
    "scopeSpans",
    "spans",
    "traceId",
    "startTimeUnixNano",
    "attributes",
    "key",
    "value",
    "context",
    "data",
    "kwargs",
    "mode_target",
    "signal_strength",
    "record",
    "kind",
    "observations",
    "state",
    "format",
    "seq",
    "agent",
    "task",
    "succeeded",
    "tool_messages",
    "function_call",
    "additional_kwargs",
    "events",
    "resource",
]
WORDS = [
    "user",
    "assistant",
    "tool",
    "human",
    "ai",
    "constructor",
    "function_call",
    "ORDER",
    "created",
    "c1",
    "get_order",
    "execute_tool",
    "gen_ai.operation.name",
    "gen_ai.tool.name",
    "openinference.span.kind",
    "TOOL",
    "1700000000000000000",
    "2026-01-01T00:00:00Z",
    "identity-os-audit/1",
    "�",
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6),
    max_leaves=25,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(FORMATS)), st.lists(VALUES, max_size=3))
def test_no_value_breaks_a_reader(format_name, values):
    problems = []
    documents = [Document(value, Path("x.json"), f":{number}") for number, value in enumerate(values)]
    runs = list(FORMATS[format_name].runs(documents, Reading(problems.append)))
    assert all(isinstance(run, Run) for run in runs)
    [FORMATS[name].recognises(value) for name in FORMATS for value in values]
    list(play(runs, Settings(messages=True)))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200) | st.lists(VALUES, max_size=3).map(lambda v: json.dumps(v, indent=1).encode(errors="replace")))
def test_no_file_breaks_a_reader(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("files") / "a.json"
    path.write_bytes(text)
    problems = []
    runs = list(read([path], problem=problems.append))
    assert runs or problems


def test_what_of_a_folder_is_read():
    assert files.NAMES == (".json", ".jsonl", ".ndjson")
