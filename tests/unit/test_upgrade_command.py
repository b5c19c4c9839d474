"""`identity-os upgrade`, `explain` and `verify --original`."""

import json

import pytest

from cli.main import main
from identity_engine import ENGINE_VERSION
from tests.api.test_engines import OLD, born, engine_of, report, story

pytestmark = pytest.mark.usefixtures("table")


@pytest.fixture(autouse=True)
def selected_table(monkeypatch):
    monkeypatch.setenv("IDENTITY_OS_TABLE", "identity-os")


def run(capsys, *arguments):
    code = main(list(arguments))
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def agents(pro):
    """Two agents of the older version, one held, and one of the newest."""
    calm, held, new = born(pro), born(pro), born(pro, ENGINE_VERSION)
    story(pro, calm)
    report(pro, held, 40, "STRESS_RESPONSE", 1.0)
    report(pro, new, 3)
    return calm, held, new


def test_a_preview_of_an_account_is_a_table_and_changes_nothing(pro, agents, capsys):
    calm, held, new = agents
    code, out, _ = run(capsys, "upgrade", pro.account_id, "--all", "--preview")
    assert code == 0
    header, *rows, total = out.splitlines()
    columns = "id from cycles differ stress drift pause escalate actions first now name"
    assert header.split() == columns.split()
    assert [row.split()[:3] for row in rows] == [[calm, OLD, "52"], [held, OLD, "40"]]
    assert total.startswith("2 agents, 2 would have been decided for otherwise")
    assert [engine_of(pro, each) for each in agents] == [OLD, OLD, ENGINE_VERSION]
    assert new not in out


def test_a_preview_of_one_agent_shows_both_contracts_where_they_differ(pro, agents, capsys):
    code, out, _ = run(capsys, "upgrade", pro.account_id, agents[1], "--preview")
    assert code == 0
    shown = {line.split()[0]: line for line in out.splitlines() if line}
    assert OLD in shown["now"]
    assert ENGINE_VERSION in shown["now"]


def test_all_are_upgraded_but_those_that_wait_for_a_person(pro, agents, capsys):
    held = agents[1]
    code, out, err = run(capsys, "upgrade", pro.account_id, "--all")
    assert (code, out.splitlines()[-1]) == (1, "1 upgraded, 1 not")
    assert held in err
    assert "paused or escalated" in err
    assert [engine_of(pro, each) for each in agents] == [ENGINE_VERSION, OLD, ENGINE_VERSION]
    code, _, err = run(capsys, "upgrade", pro.account_id, held, "--force")
    assert (code, "--note" in err) == (1, True)
    assert run(capsys, "upgrade", pro.account_id, held, "--force", "--note", "seen")[0] == 0
    assert run(capsys, "upgrade", pro.account_id, "--all")[1] == "0 upgraded\n"
    assert engine_of(pro, held) == ENGINE_VERSION


def test_an_unknown_version_is_refused(pro, agents, capsys):
    code, _, err = run(capsys, "upgrade", pro.account_id, agents[0], "--to", "9.9.9")
    assert (code, f"use one of {ENGINE_VERSION}" in err) == (1, True)


def test_an_export_explains_the_contract_of_a_cycle_and_a_fork_is_compared_with_its_original(pro, agents, capsys, tmp_path):
    calm = agents[0]
    fork = pro.post(f"/instances/{calm}/fork", json={"at_cycle": 45, "name": "Other"}).json()["data"]["id"]
    files = {}
    for name, instance in (("original", calm), ("fork", fork), ("other", agents[1])):
        files[name] = str(tmp_path / name)
        assert run(capsys, "export", pro.account_id, instance, "--to", files[name])[0] == 0
    for cycle in (0, 1, 45, 52):
        code, out, _ = run(capsys, "explain", files["original"], "--cycle", str(cycle))
        online = pro.get(f"/instances/{calm}/contract?cycle={cycle}&explain=true").json()["data"]
        assert (code, json.loads(out)) == (0, online)
    code, _, err = run(capsys, "explain", files["original"], "--cycle", "53")
    assert (code, "has not been at cycle 53" in err) == (1, True)
    assert run(capsys, "verify", files["fork"], "--original", files["original"])[0] == 0
    code, out, _ = run(capsys, "verify", files["fork"], "--original", files["other"])
    assert (code, "is a fork of" in out) == (1, True)
    damaged = tmp_path / "damaged"
    damaged.write_text((tmp_path / "original").read_text().replace('"signal_strength":0.9', '"signal_strength":0.8', 1))
    code, _, err = run(capsys, "explain", str(damaged), "--cycle", "45")
    assert (code, "NOT VERIFIED: digest" in err) == (1, True)
