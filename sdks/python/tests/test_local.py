"""LocalEngine: the API's contracts from one SQLite file, for several processes, and nothing lost when one is killed."""

import os
import signal
import subprocess
import sys
import time

import pytest
from identity_os_sdk import ConfigurationError, IdentityOSError
from identity_os_sdk.local import LocalEngine

import identity_engine

REPORT = """
import sys
from identity_os_sdk.local import LocalEngine
engine = LocalEngine(sys.argv[1])
for number in range(int(sys.argv[2]), int(sys.argv[3])):
    engine.process("inst_1", "ORDER", 0.5, idempotency_key=f"r{number}")
    print(number, flush=True)
"""


def reporting(path, start, end):
    return subprocess.Popen([sys.executable, "-c", REPORT, path, str(start), str(end)], stdout=subprocess.PIPE, text=True)


def test_the_same_reports_give_the_engines_own_contracts(tmp_path):
    state = identity_engine.birth()
    with LocalEngine(str(tmp_path / "agents.db")) as engine:
        for number in range(60):
            mode = ("PERCEPTION", "STRESS_RESPONSE", "ORDER")[number % 3]
            answer = engine.process("inst_1", mode, 0.6, 0.9)
            state, drift = identity_engine.process(state, identity_engine.Observation((0, 6, 2)[number % 3], 0.6, 0.9))
            assert answer.contract.model_dump(exclude={"explanation", "cycle", "proof"}) == identity_engine.contract_view(
                identity_engine.contract(state)
            )
            assert answer.drift.model_dump() == identity_engine.drift_view(drift)
            assert answer.snapshot.id == identity_engine.snapshot_id(identity_engine.encode(state))
        assert engine.get_contract("inst_1", explain=True).explanation


def test_a_killed_process_loses_no_report_that_was_acknowledged(tmp_path):
    path = str(tmp_path / "agents.db")
    process = reporting(path, 0, 100_000)
    acknowledged = 0
    deadline = time.monotonic() + 60
    while acknowledged < 200 and time.monotonic() < deadline:
        acknowledged = int(process.stdout.readline()) + 1
    os.kill(process.pid, signal.SIGKILL)
    rest = process.communicate()[0].split()
    acknowledged = int(rest[-1]) + 1 if rest else acknowledged
    with LocalEngine(path) as engine:
        cycle = engine.get_snapshot("inst_1").cycle
        assert acknowledged <= cycle <= acknowledged + 1
        for number in range(acknowledged):
            engine.process("inst_1", "ORDER", 0.5, idempotency_key=f"r{number}")
        assert engine.get_snapshot("inst_1").cycle == cycle


def test_processes_that_begin_at_once_share_a_file(tmp_path):
    path = str(tmp_path / "agents.db")
    processes = [reporting(path, start, start + 150) for start in (0, 1_000, 2_000, 3_000)]
    for process in processes:
        process.communicate(timeout=120)
        assert process.returncode == 0
    with LocalEngine(path) as engine:
        assert engine.get_snapshot("inst_1").cycle == 600


def test_agents_by_name_profile_and_persona():
    with LocalEngine(":memory:", profile={"governance": "strict"}) as engine:
        one = engine.open("bot", {"profile": {"risk_posture": "averse", "core_modes": ["ORDER"]}})
        assert engine.open("bot") == one
        assert "explore" not in engine.get_contract(one).allowed_actions
        assert engine.open("guardian", {"persona_id": "persona_guardian"}) != one
        assert engine.reset(one, "rebaseline").reset_to == "rebaseline"
        assert engine.assess_goal(one, "low").decision == "accept"


@pytest.mark.parametrize(
    "wrong",
    [
        lambda engine: engine.process("i", "ORDRE", 0.5),
        lambda engine: engine.process("i", "ORDER", 1.5),
        lambda engine: engine.process("i", "ORDER", float("nan")),
        lambda engine: engine.process("i", "ORDER", 0.5, severity="incident"),
        lambda engine: engine.reset("i", "yesterday"),
        lambda engine: engine.assess_goal("i", "huge"),
        lambda engine: engine.open("bot", {"persona_id": "persona_nobody"}),
        lambda engine: engine.open("bot", {"profile": {"mood": "good"}}),
    ],
)
def test_bad_input_is_an_error_of_the_sdk_and_changes_nothing(wrong):
    with LocalEngine(":memory:") as engine:
        with pytest.raises(IdentityOSError):
            wrong(engine)
        assert engine.get_snapshot("i").cycle == 0


def test_without_the_engine_it_says_what_to_install():
    code = "import sys; sys.modules['identity_engine'] = None\nimport identity_os_sdk\nimport identity_os_sdk.local"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ConfigurationError.__name__ in done.stderr
    assert "pip install 'identity-os-sdk[local]'" in done.stderr


def test_a_file_that_another_process_holds_is_an_error_of_the_sdk(tmp_path):
    path = str(tmp_path / "agents.db")
    with LocalEngine(path, timeout=0.1) as engine, LocalEngine(path) as other:
        engine.process("inst_1", "ORDER", 0.5)
        with other._transaction(), pytest.raises(IdentityOSError, match="does not answer"):
            engine.process("inst_1", "ORDER", 0.5)
        assert engine.process("inst_1", "ORDER", 0.5).snapshot.cycle == 2
    with pytest.raises(IdentityOSError):
        LocalEngine(str(tmp_path))
