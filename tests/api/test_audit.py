"""The audit trail: pages, verification, export. Every kind of damage is detected, with the first bad record."""

import json
import random
from hashlib import sha256

import pytest

from cli.main import main
from functions.engine import app as engine
from identity_engine import canonical
from identity_service import audit
from identity_service.store import accounts, audit_trail, instances
from identity_service.store import dynamodb as store_client
from identity_service.store.packing import unpack

MODES = ("ORDER", "STRESS_RESPONSE", "EXPLORATION", "ASSERTION")


@pytest.fixture
def story(pro):
    """An instance with 14 records, including every kind."""
    one = pro.new_instance(initial_config={"mode_strengths": {"ORDER": 0.5}, "energy_level": 0.7})
    for i in range(3):
        assert pro.process(one, MODES[i], 0.5 + i / 10, context={"tool": "grep", "n": i, "é": 1e-5}).status_code == 200
    batch = {"observations": [{"mode_target": MODES[i % 4], "signal_strength": 0.9} for i in range(7)]}
    assert pro.post(f"/instances/{one}/process/batch", json=batch).status_code == 200
    for mode in ("last_stable", "initial", "default", "rebaseline"):
        assert pro.post(f"/instances/{one}/reset", json={"mode": mode}).status_code == 200
        assert pro.process(one).status_code == 200
    questions = pro.get("/test/questions").json()["data"]["questions"]
    responses = [{"question_id": q["id"], "selected_option_id": q["options"][0]["id"]} for q in questions]
    body = {"instance_id": one, "version": "v1", "responses": responses}
    assert pro.post("/test/submit", json=body).status_code == 200
    return one


def exported(caller, instance_id):
    return list(audit.export(instances.get(caller.account_id, instance_id)))


def verdict(lines):
    return audit.verify_export(lines)[1]


def test_every_request_has_one_record_in_order(pro, story):
    everything = pro.get(f"/instances/{story}/audit").json()
    kinds = [row["kind"] for row in everything["data"]]
    observed = "observations"
    assert kinds == [
        "created", *[observed] * 4, "last_stable", observed, "initial", observed, "default", observed, "rebaseline",
        observed, "retest",
    ]  # fmt: skip
    assert [row["record"] for row in everything["data"]] == list(range(1, 15))
    assert everything["pagination"] == {"limit": 100, "offset": 0, "total": 14, "has_more": False}
    paged = [pro.get(f"/instances/{story}/audit?offset={n}&limit=5").json()["data"] for n in (0, 5, 10)]
    assert [row for page in paged for row in page] == everything["data"]
    assert pro.get(f"/instances/{story}/audit?offset=14").json()["data"] == []
    assert pro.get(f"/instances/{story}/audit/verify").json()["data"] == {
        "verified": True, "records": 14, "replayed": 14, "first_mismatch": None,
    }  # fmt: skip


def test_digest_is_computed_as_documented(pro, story):
    previous = ""
    for row in pro.get(f"/instances/{story}/audit").json()["data"]:
        metadata = {
            name: row[name] for name in ("record", "kind", "at", "engine_version", "format", "actor", "note") if name in row
        } | {"instance_id": story}
        parts = (
            previous,
            canonical(metadata),
            canonical(row["observations"]),
            canonical(row.get("snapshot") or row.get("state")),
        )
        previous = sha256("\n".join(parts).encode()).hexdigest()
        assert row["digest"] == previous


@pytest.mark.long
def test_pages_start_at_any_offset(pro):
    """The search for a page's start works for any mix of records and batch sizes."""
    one, shapes = pro.new_instance(), random.Random(5)
    for _ in range(60):
        kind = shapes.choice(("one", "one", "batch", "reset", "reset"))
        if kind == "reset":
            pro.post(f"/instances/{one}/reset", json={"mode": "initial"})
        else:
            count = 1 if kind == "one" else shapes.randint(2, 100)
            # Large contexts, so that a large batch is split into several items.
            observation = {"mode_target": "ORDER", "signal_strength": 0.1, "context": {"text": "x" * 8000}}
            pro.post(f"/instances/{one}/process/batch", json={"observations": [observation] * count})
    head = instances.get(pro.account_id, one)
    whole = [record for record, _ in audit_trail.records(head.trail_position())]
    assert [record["record"] for record in whole] == list(range(1, 62))
    assert sum(len(record["observations"]) for record in whole) == head.seq
    for start in range(1, 63):
        found = audit_trail.records(head.trail_position(), start)
        assert next((record for record, _ in found), None) == (whole[start - 1] if start <= 61 else None), start
    assert audit.verify(audit.ExportHeader.from_head(head), whole).verified


def test_verification_above_the_replay_limit_has_no_verdict(pro, monkeypatch):
    one = pro.new_instance()
    for _ in range(4):
        pro.process(one)
    monkeypatch.setattr(engine, "MAX_REPLAYED", 3)
    data = pro.get(f"/instances/{one}/audit/verify").json()["data"]
    assert data == {"verified": None, "records": 5, "replayed": 4, "first_mismatch": None}


@pytest.mark.parametrize("seed", range(40))
def test_any_changed_character_is_detected_in_its_record(pro, story, seed):
    lines, chance = exported(pro, story), random.Random(seed)
    number = chance.randrange(len(lines))
    position = chance.randrange(len(lines[number]))
    other = chance.choice([c for c in '0123456789abcxyz"{}[]:,. \té' if c != lines[number][position]])
    lines[number] = lines[number][:position] + other + lines[number][position + 1 :]
    try:
        found = verdict(lines)
    except audit.NotAnExport:
        assert number == 0
        return
    assert found.verified is False, (number, position, other)
    if number:
        assert found.mismatch.record == number


@pytest.mark.parametrize("number", range(1, 13))
def test_dropped_duplicated_swapped_and_truncated_records_are_detected(pro, story, number):
    lines = exported(pro, story)
    dropped = verdict(lines[:number] + lines[number + 1 :])
    doubled = verdict([*lines[: number + 1], *lines[number:]])
    truncated = verdict(lines[:number])
    found = [(dropped, number), (doubled, number + 1), (truncated, number)]
    if number < 14:
        swapped = [*lines[:number], lines[number + 1], lines[number], *lines[number + 2 :]]
        found.append((verdict(swapped), number))
    for each, first in found:
        assert (each.verified, each.mismatch.record, each.mismatch.reason) == (False, first, "out_of_place")


def rechained(lines, records):
    """A forged file: all digests recomputed, including the header's."""
    header = json.loads(lines[0])
    previous = ""
    for number, record in enumerate(records, start=1):
        record |= {"record": number, "previous": previous}
        result = record.get("snapshot") or record.get("state")
        previous = audit_trail.chain_digest(header["instance_id"], record, canonical(record["observations"]), canonical(result))
        record["digest"] = previous
    header |= {"digest": previous, "records": len(records), "observations": sum(len(r["observations"]) for r in records)}
    return [canonical(header), *map(canonical, records)]


def test_replay_detects_a_forged_chain(pro, story, tmp_path, capsys):
    lines = exported(pro, story)
    records = [json.loads(line) for line in lines[1:]]
    assert verdict(rechained(lines, records)).verified

    stronger = json.loads(json.dumps(records))
    stronger[2]["observations"][0]["signal_strength"] = 0.1
    assert (verdict(rechained(lines, stronger)).mismatch.record, verdict(rechained(lines, stronger)).mismatch.reason) == (
        3,
        "replay",
    )

    calmer = json.loads(json.dumps(records))
    calmer[4]["snapshot"]["stress_state"] = "LOW" if calmer[4]["snapshot"]["stress_state"] != "LOW" else "MED"
    assert verdict(rechained(lines, calmer)).mismatch.record == 5

    without = [record for record in json.loads(json.dumps(records)) if record["record"] != 4]
    assert verdict(rechained(lines, without)).mismatch.reason == "replay"

    # A different history that replays correctly: only a digest from a trusted record detects it.
    shorter = json.loads(json.dumps(records[:1]))
    forged = json.loads(lines[0]) | {"state": shorter[0]["state"]}
    file = tmp_path / "forged.jsonl"
    file.write_text("\n".join(rechained([canonical(forged)], shorter)) + "\n")
    assert main(["verify", str(file)]) == 0
    assert main(["verify", str(file), "--digest", json.loads(lines[0])["digest"]]) == 1
    assert "not the expected one" in capsys.readouterr().out


def test_records_of_another_engine_are_said_to_be(pro, story):
    lines = exported(pro, story)
    records = [json.loads(line) for line in lines[1:]]
    for record in records[:7]:
        record["engine_version"] = "0.9.4"
    older = rechained(lines, records)
    found = verdict(older)
    assert (found.verified, found.replayed, found.mismatch.record, found.mismatch.reason) == (False, 0, 1, "engine_version")
    assert "engine 0.9.4" in found.mismatch.message
    # The chain is checked all the same.
    older[9] = older[9].replace('"cycle":1', '"cycle":2', 1)
    assert (verdict(older).mismatch.record, verdict(older).mismatch.reason) == (9, "digest")


@pytest.mark.parametrize("garbage", ["", "{}", "[]", "null", "no json", '{"format":"identity-os-audit/1"}', "[" * 100_000])
def test_invalid_export_is_rejected(garbage):
    with pytest.raises(audit.NotAnExport):
        audit.verify_export([garbage])


@pytest.mark.parametrize("garbage", ["{}", "[]", "null", "7", "[" * 100_000, '{"kind":"observations"}', '"\udc80"'])
def test_invalid_record_is_malformed(pro, story, garbage):
    lines = exported(pro, story)
    lines[3] = garbage
    assert (verdict(lines).mismatch.record, verdict(lines).mismatch.reason) == (3, "malformed")


def test_api_detects_a_changed_record(pro, story):
    partition = instances.partition(pro.account_id, story)
    key = {"PK": partition, "SK": "OBS#000000000002"}
    snapshot = unpack(store_client.get(key)["snapshot"]).replace('"energy_level":0.', '"energy_level":1.', 1)
    store_client.write(store_client.update(key, "SET #s = :other", {":other": snapshot}, names={"#s": "snapshot"}))
    data = pro.get(f"/instances/{story}/audit/verify").json()["data"]
    assert data["verified"] is False
    assert (data["first_mismatch"]["record"], data["first_mismatch"]["reason"]) == (3, "digest")


def test_api_detects_a_changed_head_and_a_deleted_record(pro, story):
    partition = instances.partition(pro.account_id, story)
    head = store_client.get({"PK": partition, "SK": "HEAD"})
    calmer = unpack(head["state"]).replace('"energy":', '"energy":0.0', 1)
    store_client.write(
        store_client.update({"PK": partition, "SK": "HEAD"}, "SET #s = :s", {":s": calmer}, names={"#s": "state"})
    )
    first = pro.get(f"/instances/{story}/audit/verify").json()["data"]["first_mismatch"]
    assert (first["record"], first["reason"]) == (14, "head")
    store_client.write(store_client.delete({"PK": partition, "SK": "OBS#000000000003"}))
    first = pro.get(f"/instances/{story}/audit/verify").json()["data"]["first_mismatch"]
    assert (first["record"], first["reason"]) == (4, "out_of_place")


def test_export_and_verify_commands(pro, story, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("IDENTITY_OS_TABLE", "identity-os")
    file = tmp_path / "trail.jsonl"
    assert main(["export", pro.account_id, story, "--to", str(file)]) == 0
    digest = capsys.readouterr().err.split()[-1]
    monkeypatch.delenv("IDENTITY_OS_TABLE")
    assert main(["verify", str(file), "--digest", digest]) == 0
    assert "14 records" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["trail.jsonl"]

    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0x80
    file.write_bytes(data)
    assert main(["verify", str(file)]) == 1
    assert "NOT VERIFIED" in capsys.readouterr().out
    assert main(["verify", str(tmp_path / "none")]) == 1
    assert "No such file" in capsys.readouterr().err
    file.write_bytes(b"\x00\xff")
    assert main(["verify", str(file)]) == 1
    assert "not an export header" in capsys.readouterr().err

    monkeypatch.setenv("IDENTITY_OS_TABLE", "identity-os")
    assert main(["export", pro.account_id, "inst_0000000000000000"]) == 1
    assert "has no instance" in capsys.readouterr().err
    assert main(["export", pro.account_id, story]) == 0
    assert capsys.readouterr().out.splitlines() == exported(pro, story)


def test_a_record_names_who_caused_it_and_why(pro, story):
    (key,) = accounts.list_keys(pro.account_id)
    pro.post(f"/instances/{story}/reset", json={"mode": "rebaseline", "note": "the new job is the new normal"})
    rows = pro.get(f"/instances/{story}/audit").json()["data"]
    assert {row["actor"] for row in rows} == {key["id"]}
    assert {row["format"] for row in rows} == {2}
    assert [row.get("note") for row in rows if row["kind"] == "rebaseline"] == [None, "the new job is the new normal"]
    assert pro.post(f"/instances/{story}/reset", json={"mode": "initial", "note": "x" * 501}).status_code == 400


@pytest.mark.parametrize("field", ["actor", "note"])
def test_neither_actor_nor_note_can_be_changed_or_taken_away(pro, story, field):
    pro.post(f"/instances/{story}/reset", json={"mode": "initial", "note": "why"})
    lines = exported(pro, story)
    for changed in ("someone else", None):
        record = json.loads(lines[-1])
        record.pop(field)
        if changed:
            record[field] = changed
        mismatch = verdict([*lines[:-1], canonical(record)]).mismatch
        assert mismatch.reason in ("digest", "malformed")


def test_a_trail_that_began_before_format_2_verifies(pro):
    """A head whose only record is of the older format, as an older deployment left it, and records of today after it."""
    instance_id = pro.new_instance()
    head = instances.get(pro.account_id, instance_id)
    (old, _), *_ = audit_trail.records(head.trail_position())
    for name in ("format", "actor"):
        del old[name]
    digest = audit_trail.chain_digest(instance_id, old, "[]", canonical(old["state"]))
    key = {"PK": head.partition(), "SK": f"EVENT#{0:012d}#{1:012d}"}
    store_client.write(store_client.update(key, "SET digest = :d REMOVE #f, actor", {":d": digest}, names={"#f": "format"}))
    store_client.write(store_client.update(instances.head_key(pro.account_id, instance_id), "SET digest = :d", {":d": digest}))
    pro.process(instance_id)
    assert pro.get(f"/instances/{instance_id}/audit/verify").json()["data"]["verified"] is True
    assert ["format" in row for row in pro.get(f"/instances/{instance_id}/audit").json()["data"]] == [False, True]


def test_each_answer_that_left_a_record_has_its_digest_replayed_ones_too(pro):
    created = pro.post("/instances", json={"name": "A"}, headers={"Idempotency-Key": "c"})
    instance_id = created.json()["data"]["id"]
    path = f"/instances/{instance_id}"
    observation = {"mode_target": "ORDER", "signal_strength": 0.5}
    questions = pro.get("/test/questions").json()["data"]["questions"]
    answers = [{"question_id": q["id"], "selected_option_id": f"{q['id']}_a"} for q in questions]
    requests = [
        (f"{path}/process", observation),
        (f"{path}/process/batch", {"observations": [observation] * 3}),
        (f"{path}/reset", {"mode": "last_stable"}),
        ("/test/submit", {"version": "v1", "instance_id": instance_id, "responses": answers}),
    ]
    digests = [created.headers["X-Audit-Digest"]]
    for number, (url, body) in enumerate(requests):
        first, again = (pro.post(url, json=body, headers={"Idempotency-Key": str(number)}) for _ in range(2))
        assert again.headers["Idempotent-Replayed"] == "true"
        assert first.headers["X-Audit-Digest"] == again.headers["X-Audit-Digest"]
        digests.append(first.headers["X-Audit-Digest"])
    assert digests == [row["digest"] for row in pro.get(f"{path}/audit").json()["data"]]
    for url, body in ((f"{path}/simulate", observation), (f"{path}/goals/assess", {"complexity": "low"})):
        assert "X-Audit-Digest" not in pro.post(url, json=body, headers={"Idempotency-Key": f"{url}"}).headers


def test_anchors_find_a_trail_that_was_written_anew(pro, story, tmp_path, capsys):
    kept = [row["digest"] for row in pro.get(f"/instances/{story}/audit").json()["data"]][2:5]
    anchors, export = tmp_path / "anchors.jsonl", tmp_path / "trail.jsonl"
    rows = [{"instance_id": story, "digest": digest} for digest in kept] + [{"instance_id": "inst_2", "digest": "x"}]
    anchors.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    export.write_text("".join(f"{line}\n" for line in exported(pro, story)))
    assert main(["verify", str(export), "--anchors", str(anchors)]) == 0
    assert "3 anchors of this instance, each in the trail" in capsys.readouterr().out
    rows.insert(1, {"instance_id": story, "digest": "0" * 64})
    anchors.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert main(["verify", str(export), "--anchors", str(anchors)]) == 1
    assert "NOT VERIFIED: anchor: no record has the digest of line 2" in capsys.readouterr().out
    for text, said in (("no json\n", "line 1 is no anchor"), ("", f"there is no anchor of {story}")):
        anchors.write_text(text)
        assert main(["verify", str(export), "--anchors", str(anchors)]) == 1
        assert said in capsys.readouterr().err
    assert main(["verify", str(export), "--anchors", str(tmp_path / "none")]) == 1
    assert "none: No such file" in capsys.readouterr().err
