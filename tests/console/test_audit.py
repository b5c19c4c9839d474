"""The audit trail: pages of records, a verdict that names the first bad record, a file that `identity-os verify` accepts."""

import json
import re

import pytest

from cli.main import main
from functions.console.pages import audit, audit_export
from identity_service.store import dynamodb, instances
from identity_service.store.accounts import create_key


@pytest.fixture
def agent(owner):
    """An agent with seven records of several kinds."""
    agent = owner.agent("Aria", ("ORDER", 0.6, 1), ("EXPLORATION", 0.7, 12), ("ORDER", 0.5, 3))
    for mode in ("rebaseline", "last_stable"):
        body = {"mode": mode, "note": "because"}
        assert owner.api.post(f"/instances/{agent}/reset", json=body).status_code == 200
    owner.report(agent, "ORDER", 0.6, 2)
    return agent


def numbers(response):
    return [int(number) for number in re.findall(r'id="record-(\d+)"', response.text)]


def test_records_in_words_and_figures_newest_first(owner, agent):
    page = owner.get(f"/agents/{agent}/audit")
    assert numbers(page) == [7, 6, 5, 4, 3, 2, 1]
    text = page.text
    for said in (
        "12 reports",
        "exploration 0.70",
        "decided: this is the new normal",
        "because",
        "created",
        "of the tests",
        "7 more are in the export",
    ):
        assert said in text, said
    head = instances.get(owner.account_id, agent)
    assert f"<code>{head.digest}</code>" in text


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_pages_go_back_to_the_birth_without_a_gap(owner, agent, monkeypatch, size):
    monkeypatch.setattr(audit, "PAGE", size)
    seen, path = [], f"/agents/{agent}/audit"
    while path:
        page = owner.get(path)
        assert 1 <= len(numbers(page)) <= size
        seen += numbers(page)
        link = re.search(r'href="[^"]*/console(/agents/\w+/audit\?[^"]+)">Older', page.text)
        path = link and link[1].replace("&amp;", "&")
    assert seen == [7, 6, 5, 4, 3, 2, 1]


def test_a_page_stays_where_it_is_while_the_agent_reports(owner, agent, monkeypatch):
    monkeypatch.setattr(audit, "PAGE", 3)
    older = re.search(r"audit\?before=(\d+)&amp;seq=(\d+)", owner.get(f"/agents/{agent}/audit").text)
    owner.report(agent)
    page = owner.get(f"/agents/{agent}/audit?before={older[1]}&seq={older[2]}")
    assert numbers(page) == [4, 3, 2]
    assert "Newest</a>" in page.text


def test_records_of_many_items_are_joined(owner):
    agent = owner.agent("Aria", ("ORDER", 0.6, 1))
    owner.report(agent, "ORDER", 0.6, 60, context={"text": "x" * 8000})
    owner.report(agent, "ORDER", 0.6, 60, context={"text": "y" * 8000})
    page = owner.get(f"/agents/{agent}/audit")
    assert numbers(page) == [4, 3, 2, 1]
    assert page.text.count("55 more are in the export") == 2
    assert len(page.content) < 100_000


def test_places_that_nobody_links_to(owner, agent):
    for query in ("before=3&seq=1000000", "before=1000000", "before=1"):
        assert owner.get(f"/agents/{agent}/audit?{query}").status_code in (200, 404), query
    for query in ("before=0", "before=x", "before=2&seq=-1"):
        assert owner.get(f"/agents/{agent}/audit?{query}").status_code == 400, query


def test_a_trail_verifies(owner, agent):
    page = owner.get(f"/agents/{agent}/audit/verify")
    assert 'class="card verdict good"' in page.text
    assert "All 7 records" in page.text


def damage(owner, agent, change):
    key = {"PK": instances.partition(owner.account_id, agent), "SK": f"OBS#{13:012d}"}
    item = dynamodb.get(key)
    dynamodb.write(dynamodb.put(item | change))


def test_a_damaged_record_is_named_in_red(owner, agent):
    damage(owner, agent, {"actor": "somebody else"})
    page = owner.get(f"/agents/{agent}/audit/verify")
    assert 'class="card verdict bad"' in page.text
    assert "Not verified: record 3" in page.text
    assert "record 3 was changed after it was written" in page.text


def test_a_trail_too_long_for_a_page_says_so(owner, agent, monkeypatch):
    monkeypatch.setattr(audit, "MOST_REPLAYED", 5)
    page = owner.get(f"/agents/{agent}/audit/verify")
    assert 'class="card verdict open"' in page.text
    assert "The first 3 records" in page.text


def exported(tmp_path, *responses):
    assert [response.status_code for response in responses] == [200] * len(responses)
    file = tmp_path / "trail.jsonl"
    file.write_bytes(b"".join(response.content for response in responses))
    return file


def test_the_export_is_the_file_of_the_command_line(owner, agent, tmp_path, capsys):
    response = owner.get(f"/agents/{agent}/audit/export")
    assert response.headers["Content-Type"] == "application/x-ndjson"
    assert response.headers["Content-Disposition"] == f'attachment; filename="{agent}-audit.jsonl"'
    file = exported(tmp_path, response)
    assert main(["verify", str(file)]) == 0
    from identity_service.audit import export

    lines = export(instances.get(owner.account_id, agent))
    assert file.read_text().splitlines() == list(lines)
    assert f"{agent}, 7 records, 18 observations" in capsys.readouterr().out


def links(page):
    found = re.findall(r'href="[^"]*/console(/agents/\w+/audit/export\?[^"]+)"', page.text)
    return [link.replace("&amp;", "&") for link in found]


def test_a_long_trail_comes_in_parts_that_make_one_file(owner, agent, tmp_path, monkeypatch):
    monkeypatch.setattr(audit_export, "PART", 3)
    page = owner.get(f"/agents/{agent}/audit/export")
    assert (page.status_code, len(links(page))) == (200, 3)
    owner.report(agent)  # what comes meanwhile spoils nothing
    file = exported(tmp_path, *(owner.get(link) for link in links(page)))
    assert main(["verify", str(file)]) == 0
    assert len(file.read_text().splitlines()) == 8


def test_a_part_that_is_too_large_comes_in_halves(owner, agent, tmp_path, monkeypatch):
    monkeypatch.setattr(audit_export, "LARGEST", 5000)
    todo, done = [f"/agents/{agent}/audit/export"], []
    while todo:
        response = owner.get(todo.pop(0))
        if response.status_code == 413:
            todo = [*links(response), *todo]
        else:
            done.append(response)
    assert len(done) > 2
    assert main(["verify", str(exported(tmp_path, *done))]) == 0


def test_a_first_line_is_only_ours_and_only_of_its_agent(owner, agent, monkeypatch):
    other = owner.agent("Other", ("ORDER", 0.5, 4))
    monkeypatch.setattr(audit_export, "PART", 3)
    link = links(owner.get(f"/agents/{agent}/audit/export"))[0]
    assert owner.get(link).status_code == 200
    for wrong in (link.replace(agent, other), link[:-5], f"/agents/{agent}/audit/export?first=1&last=2&cut=guessed"):
        assert owner.get(wrong).status_code == 400, wrong


def test_ranges_that_are_not_there(owner, agent):
    for query, status in (("first=8&last=9", 404), ("first=0&last=1", 400), ("first=3&last=2", 404), ("first=7&last=99", 200)):
        assert owner.get(f"/agents/{agent}/audit/export?{query}").status_code == status, query


def test_a_viewer_reads_verifies_and_exports(owner, agent, member):
    viewer = member("viewer")
    for path in ("audit", "audit/verify", "audit/export"):
        assert viewer.get(f"/agents/{agent}/{path}").status_code == 200, path
    assert json.loads(viewer.get(f"/agents/{agent}/audit/export").text.splitlines()[0])["records"] == 7


def test_who_is_named_stays_named_when_the_key_is_revoked(owner, agent):
    key = create_key(owner.account_id, "nightly job")
    owner.api.headers["Authorization"] = f"Bearer {key.secret}"
    owner.report(agent)
    owner.post(f"/settings/keys/{key.id}/revoke")
    assert "nightly job" in owner.get(f"/agents/{agent}/audit").text
