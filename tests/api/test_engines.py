"""Engines side by side: an agent keeps the version it was born under, until a person upgrades it; all of it replays."""

import json
import threading

import pytest

from identity_engine import ENGINE_VERSION
from identity_service import audit, cycles, engines, lineage, upgrades
from identity_service.store import instances

OLD = "1.0.0"
MODES = ("PERCEPTION", "ORDER", "CONNECTION")


def born(caller, version=OLD, **config):
    answer = caller.post("/instances", json={"name": "Aria", "initial_config": {"engine_version": version, **config}})
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]["id"]


def report(caller, instance_id, turns, mode=None, strength=0.5):
    rows = [{"mode_target": mode or MODES[turn % 3], "signal_strength": strength} for turn in range(turns)]
    last = None
    for start in range(0, turns, 100):
        answer = caller.post(f"/instances/{instance_id}/process/batch", json={"observations": rows[start : start + 100]})
        assert answer.status_code == 200, answer.text
        last = answer.json()["data"]
    return last


def story(caller, instance_id):
    """Work, a crisis, a reset: what the two versions see differently."""
    report(caller, instance_id, 40)
    report(caller, instance_id, 5, "STRESS_RESPONSE", 0.9)
    assert caller.post(f"/instances/{instance_id}/reset", json={"mode": "last_stable"}).status_code == 200
    report(caller, instance_id, 7, "EXPLORATION", 0.7)


def upgrade(caller, instance_id, version=ENGINE_VERSION, **more):
    return caller.post(f"/instances/{instance_id}/upgrade", json={"engine_version": version, **more})


def engine_of(caller, instance_id):
    return caller.get(f"/instances/{instance_id}").json()["data"]["engine_version"]


def verified(caller, instance_id):
    online = caller.get(f"/instances/{instance_id}/audit/verify").json()["data"]
    lines = list(audit.export(instances.get(caller.account_id, instance_id)))
    _, offline = audit.verify_export(lines)
    assert online["verified"] is offline.verified is True, online
    return lines


def test_an_agent_is_born_under_the_newest_version_or_the_one_it_names(pro):
    assert engine_of(pro, pro.new_instance()) == ENGINE_VERSION
    old = born(pro)
    assert engine_of(pro, old) == pro.get(f"/instances/{old}/snapshot").json()["data"]["engine_version"] == OLD
    answer = pro.post("/instances", json={"name": "A", "initial_config": {"engine_version": "9.9.9"}})
    assert answer.status_code == 400
    assert answer.json()["details"] == {"field": "initial_config.engine_version", "reason": "unknown_value"}


def test_each_version_decides_as_it_always_did(pro):
    """The old version's answers, through the API, are those of the frozen package itself."""
    old = born(pro)
    last = report(pro, old, 30)
    frozen = engines.engine(OLD)
    state = frozen.birth({}, [0.0] * 7, 0.8)
    rows = [{"mode_target": MODES[turn % 3], "signal_strength": 0.5, "confidence": 1.0} for turn in range(30)]
    done = frozen.process(json.loads(state), rows, contracts="last")
    state, steps = done["state"], done["steps"]
    assert last["contract"] == steps[-1]["contract"] == pro.get(f"/instances/{old}/contract").json()["data"]
    assert last["snapshot"]["id"] == steps[-1]["snapshot"]["id"]
    assert instances.get(pro.account_id, old).encoded == state


def test_every_operation_works_on_an_older_version(pro):
    old = born(pro)
    story(pro, old)
    at = f"/instances/{old}"
    assert len(pro.get(f"{at}/contract?explain=true").json()["data"]["explanation"]) == 14
    assert pro.post(f"{at}/goals/assess", json={"complexity": "low"}).status_code == 200
    assert pro.post(f"{at}/simulate", json={"mode_target": "ORDER", "signal_strength": 0.5}).status_code == 200
    assert pro.patch(at, json={"name": "B"}).status_code == 200
    refused = pro.post(f"{at}/reset", json={"mode": "rebaseline"})
    assert (refused.status_code, refused.json()["details"]["reason"]) == (400, "unknown_value")
    assert "engine 1.0.0" in refused.json()["message"]
    verified(pro, old)


def test_a_preview_says_where_two_versions_part_and_changes_nothing(pro):
    old = born(pro)
    story(pro, old)
    before = pro.get(f"/instances/{old}").json()
    view = upgrade(pro, old).json()["data"]
    assert (view["preview"], view["from_version"], view["engine_version"], view["how"]) == (
        True,
        OLD,
        ENGINE_VERSION,
        "migrated",
    )
    assert view["cycles"] == 52
    assert 0 < view["differing_cycles"] <= 52
    assert view["differing_cycles"] >= max(view["flips"].values()) > 0
    first = view["first_difference"]
    assert first["then"].keys() == first["would"].keys()
    assert all(first["then"][name] != first["would"][name] for name in first["then"])
    assert view["contract"] == pro.get(f"/instances/{old}/contract").json()["data"]
    assert pro.get(f"/instances/{old}").json() == before
    done = upgrade(pro, old, preview=False).json()["data"]
    assert done["contract"] == view["upgraded_contract"], "the preview told what the upgrade did"


def test_a_version_against_itself_differs_nowhere(pro):
    """A preview under a version that decides alike finds nothing: the comparison has no noise of its own."""
    young = born(pro)
    report(pro, young, 3)
    assert upgrade(pro, young).json()["data"]["flips"]["stress_state"] == 0


def test_an_upgrade_leaves_a_record_and_the_trail_verifies_through_it(pro):
    old = born(pro)
    story(pro, old)
    answer = upgrade(pro, old, preview=False, note="reviewed the preview")
    assert answer.json()["data"]["how"] == "migrated"
    assert engine_of(pro, old) == ENGINE_VERSION
    record = pro.get(f"/instances/{old}/audit?limit=1000").json()["data"][-1]
    assert (record["kind"], record["engine_version"], record["note"]) == ("upgrade", ENGINE_VERSION, "reviewed the preview")
    assert (record["upgrade"]["from_version"], record["upgrade"]["to_version"]) == (OLD, ENGINE_VERSION)
    assert record["upgrade"]["before"]["cycle"] == record["upgrade"]["after"]["cycle"]
    assert answer.headers["X-Audit-Digest"] == record["digest"]
    report(pro, old, 20)
    lines = verified(pro, old)
    for text, changed in (
        (f'"to_version":"{ENGINE_VERSION}"', '"to_version":"1.0.1"'),
        ('"how":"migrated"', '"how":"replayed"'),
    ):
        forged = [line.replace(text, changed) for line in lines]
        assert forged != lines
        assert audit.verify_export(forged)[1].mismatch.reason == "digest"


def test_without_a_migration_the_life_is_replayed(pro):
    """Back to the older version: it migrates nothing, so it replays every report since birth, and so does the verification."""
    young = born(pro, ENGINE_VERSION)
    report(pro, young, 45)
    assert upgrade(pro, young, OLD, preview=False).json()["data"]["how"] == "replayed"
    twin = born(pro)
    report(pro, twin, 45)
    assert instances.get(pro.account_id, young).encoded == instances.get(pro.account_id, twin).encoded
    report(pro, young, 5)
    verified(pro, young)
    upgrade(pro, young, preview=False)
    report(pro, young, 5)
    verified(pro, young)


def test_a_history_that_a_version_cannot_replay_is_refused_in_words(pro):
    young = born(pro, ENGINE_VERSION)
    report(pro, young, 5)
    pro.post(f"/instances/{young}/reset", json={"mode": "rebaseline"})
    for preview in (True, False):
        refused = upgrade(pro, young, OLD, preview=preview)
        assert (refused.status_code, refused.json()["error"]) == (409, "conflict")
        assert "knows no rebaseline" in refused.json()["message"]
    assert engine_of(pro, young) == ENGINE_VERSION


def test_a_held_agent_is_upgraded_only_with_a_reason(pro):
    old = born(pro)
    report(pro, old, 40, "STRESS_RESPONSE", 1.0)
    assert pro.get(f"/instances/{old}/contract").json()["data"]["should_pause"]
    refused = upgrade(pro, old, preview=False)
    assert (refused.status_code, "paused or escalated" in refused.json()["message"]) == (409, True)
    unreasoned = upgrade(pro, old, preview=False, force=True)
    assert unreasoned.json()["details"] == {"field": "note", "reason": "missing"}
    assert upgrade(pro, old, preview=False, force=True, note="the old engine held it wrongly").status_code == 200
    verified(pro, old)


@pytest.mark.parametrize("version", [ENGINE_VERSION, "9.9.9", "", "../x"])
def test_a_version_that_cannot_take_over_is_refused(pro, version):
    refused = upgrade(pro, born(pro, ENGINE_VERSION), version)
    assert ("already" in refused.json()["message"]) == (version == ENGINE_VERSION)
    assert (refused.status_code, refused.json()["details"]["field"]) == (400, "engine_version")


def test_an_upgrade_that_is_sent_twice_is_made_once(pro):
    old = born(pro)
    answers = [
        pro.post(f"/instances/{old}/upgrade", json={"preview": False}, headers={"Idempotency-Key": "one"}) for _ in range(2)
    ]
    assert answers[0].content == answers[1].content
    assert pro.get(f"/instances/{old}/audit").json()["pagination"]["total"] == 2


def test_a_deployment_without_the_version_answers_503_and_changes_nothing(pro, monkeypatch):
    """Half way through a deployment an older function meets a newer agent: the caller tries again, and no chain mixes."""
    old = born(pro)
    report(pro, old, 3)
    monkeypatch.delenv("IDENTITY_OS_ENGINE_RELEASES")
    for cached in (engines.engine, engines._releases):
        cached.cache_clear()
    try:
        refused = pro.post(f"/instances/{old}/process", json={"mode_target": "ORDER", "signal_strength": 0.5})
        assert (refused.status_code, refused.json()["error"]) == (503, "service_unavailable")
        assert "engine 1.0.0" in refused.json()["message"]
        assert int(refused.headers["Retry-After"]) > 0
    finally:
        monkeypatch.undo()
        for cached in (engines.engine, engines._releases):
            cached.cache_clear()
    assert pro.get(f"/instances/{old}").json()["data"]["cycle_count"] == 3
    verified(pro, old)


def once(monkeypatch, module, name, meanwhile):
    """Let something else be committed between the read and the write of the next request that calls this function."""
    original, calls = getattr(module, name), []

    def interrupted(*arguments, **more):
        calls.append(1)
        if len(calls) == 1:
            # In a thread of its own: the request that is interrupted has this one's event loop.
            other = threading.Thread(target=meanwhile)
            other.start()
            other.join()
        return original(*arguments, **more)

    monkeypatch.setattr(module, name, interrupted)


def versions_of(caller, instance_id):
    """Kind and version of each record, after a check that each is of the version that the agent was pinned to then."""
    rows = [(row["kind"], row["engine_version"]) for row in caller.get(f"/instances/{instance_id}/audit").json()["data"]]
    pinned = rows[0][1]
    for kind, version in rows:
        pinned = version if kind == "upgrade" else pinned
        assert version == pinned
    return rows


def test_a_report_that_loses_against_an_upgrade_is_decided_by_the_new_version(pro, monkeypatch):
    old = born(pro)
    once(monkeypatch, cycles, "_steps", lambda: upgrade(pro, old, preview=False))
    report(pro, old, 1)
    assert versions_of(pro, old) == [("created", OLD), ("upgrade", ENGINE_VERSION), ("observations", ENGINE_VERSION)]
    verified(pro, old)


def test_an_upgrade_that_loses_against_a_report_takes_the_report_with_it(pro, monkeypatch):
    old = born(pro)
    once(monkeypatch, upgrades, "upgraded", lambda: report(pro, old, 1))
    assert upgrade(pro, old, preview=False).json()["data"]["snapshot"]["cycle"] == 1
    assert versions_of(pro, old) == [("created", OLD), ("observations", OLD), ("upgrade", ENGINE_VERSION)]
    verified(pro, old)


def test_of_two_upgrades_one_wins(pro, monkeypatch):
    old = born(pro)
    once(monkeypatch, upgrades, "upgraded", lambda: upgrade(pro, old, preview=False))
    lost = upgrade(pro, old, preview=False)
    assert (lost.status_code, "meanwhile" in lost.json()["message"]) == (409, True)
    assert versions_of(pro, old) == [("created", OLD), ("upgrade", ENGINE_VERSION)]
    verified(pro, old)


def test_a_record_of_another_engine_than_the_pinned_one_is_out_of_line(pro):
    old = born(pro)
    report(pro, old, 2)
    created, reported = pro.get(f"/instances/{old}/audit").json()["data"]
    whole = lineage.Lineage()
    whole.add(created)
    with pytest.raises(lineage.OutOfLine, match=f"engine {ENGINE_VERSION} decided for an agent that was pinned to {OLD}"):
        whole.add(reported | {"engine_version": ENGINE_VERSION})


def test_a_damaged_release_is_not_run(tmp_path, monkeypatch):
    folder = tmp_path / "releases"
    folder.mkdir()
    (folder / "identity_engine_7_0_0.zip").write_bytes(b"something else")
    (tmp_path / "releases.json").write_text('{"7.0.0": {"sha256": "0", "answers": ""}}')
    monkeypatch.setenv("IDENTITY_OS_ENGINE_RELEASES", str(tmp_path))
    engines._releases.cache_clear()
    try:
        with pytest.raises(engines.DamagedRelease):
            engines.engine("7.0.0")
    finally:
        monkeypatch.undo()
        engines._releases.cache_clear()
