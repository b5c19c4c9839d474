"""Decide: the preview first, the decision once, a note with who decided; refused to viewers, strangers and old previews."""

import re
from threading import Thread

import pytest

from functions.console.pages import decide as pages_decide
from identity_service.store import account_trail, commits, dynamodb, instances
from tests.console.person import Person

STRESSED = (("EXPLORATION", 0.6, 40), ("STRESS_RESPONSE", 0.9, 20))
ATTACK = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'"


@pytest.fixture
def held(owner):
    """An agent that waits for a person."""
    return owner.agent("invoice-agent", *STRESSED)


def version_of(response):
    return re.search(r'name="version" value="(\d+)"', response.text)[1]


def head_of(person, instance_id):
    return instances.get(person.account_id, instance_id)


def latest_record(person, instance_id):
    return person.api.get(f"/instances/{instance_id}/audit?offset={head_of(person, instance_id).records - 1}").json()["data"][0]


def test_each_decision_is_previewed_and_nothing_is_stored(owner, held):
    before = head_of(owner, held)
    first = owner.get(f"/agents/{held}/decide").text
    assert "It waits for a person" in first
    assert 'aria-current="true"' in first
    for mode, said in (
        ("rebaseline", "not measured yet"),
        ("last_stable", "execute"),
        ("initial", "execute"),
        ("default", "execute"),
    ):
        text = owner.get(f"/agents/{held}/decide?to={mode}").text
        assert said in text.partition("What <code>")[2], mode
        assert f'name="to" value="{mode}"' in text
    assert head_of(owner, held) == before


def test_a_decision_does_what_its_preview_showed_and_is_recorded(owner, held):
    page = owner.get(f"/agents/{held}/decide?to=last_stable")
    freed = re.findall(r'class="act-mark freed">.*?</span>(\w+)<', page.text)
    assert freed
    was = owner.api.get(f"/instances/{held}/contract").json()["data"]["allowed_actions"]
    done = owner.post(f"/agents/{held}/decide", to="last_stable", version=version_of(page), note=" the bug is\r\nfixed ")
    assert done.status_code == 303
    now = owner.api.get(f"/instances/{held}/contract").json()["data"]
    assert set(now["allowed_actions"]) - set(was) == set(freed)
    assert not now["should_pause"]
    record = latest_record(owner, held)
    assert (record["kind"], record["actor"], record["note"]) == ("last_stable", owner.user.id, "the bug is\nfixed")
    entry = account_trail.latest(owner.account_id)[0]
    assert (entry["what"], entry["target"], entry["request_id"]) == ("agent.decided", held, done.headers["X-Request-Id"])
    assert owner.api.get(f"/instances/{held}/audit/verify").json()["data"]["verified"] is True
    trail = owner.get(f"/agents/{held}/audit").text
    assert "decided: back to the last calm state" in trail
    assert owner.user.email in trail
    assert "the bug is\nfixed" in trail


def test_a_double_click_decides_once(owner, held):
    version, records = version_of(owner.get(f"/agents/{held}/decide")), head_of(owner, held).records
    for _ in range(2):
        assert owner.post(f"/agents/{held}/decide", to="initial", version=version, note="again").status_code == 303
    assert head_of(owner, held).records == records + 1


def test_two_clicks_at_the_same_time_decide_once(owner, held, monkeypatch):
    version, records = version_of(owner.get(f"/agents/{held}/decide")), head_of(owner, held).records
    write, second = commits.dynamodb.write_all, []

    def beaten(operations):
        """Between this one's read and its write comes the other click."""
        if not second:
            second.append(1)
            other = Thread(target=lambda: second.append(click()))
            other.start()
            other.join()
        return write(operations)

    def click():
        return owner.post(f"/agents/{held}/decide", to="initial", version=version, note="again").status_code

    monkeypatch.setattr(commits.dynamodb, "write_all", beaten)
    assert (click(), second[1]) == (303, 303)
    assert head_of(owner, held).records == records + 1


def test_an_agent_that_changed_is_shown_anew_and_not_decided(owner, held):
    page = owner.get(f"/agents/{held}/decide?to=initial")
    owner.report(held, "ORDER", 0.5)
    records = head_of(owner, held).records
    answer = owner.post(f"/agents/{held}/decide", to="initial", version=version_of(page), note="my reason")
    assert (answer.status_code, "nothing was decided" in answer.text) == (409, True)
    assert "my reason</textarea>" in answer.text
    assert head_of(owner, held).records == records
    again = owner.post(f"/agents/{held}/decide", to="initial", version=version_of(answer), note="my reason")
    assert again.status_code == 303


def test_an_agent_that_changes_during_the_write_is_not_decided(owner, held, monkeypatch):
    version = version_of(owner.get(f"/agents/{held}/decide"))
    write, reported = commits.dynamodb.write_all, []

    def beaten(operations):
        if not reported:
            reported.append(1)
            other = Thread(target=lambda: owner.report(held, "ORDER", 0.5))
            other.start()
            other.join()
        return write(operations)

    assert owner.api  # its key is not the write that is beaten
    monkeypatch.setattr(commits.dynamodb, "write_all", beaten)
    answer = owner.post(f"/agents/{held}/decide", to="initial", version=version, note="x")
    assert (answer.status_code, reported) == (409, [1])
    assert latest_record(owner, held)["kind"] == "observations"


@pytest.mark.parametrize(("note", "kept"), [("", ""), (" \n ", ""), ("x" * 501, "x" * 501)], ids=["none", "blank", "long"])
def test_a_decision_has_a_note(owner, held, note, kept):
    version = version_of(owner.get(f"/agents/{held}/decide"))
    answer = owner.post(f"/agents/{held}/decide", to="initial", version=version, note=note)
    assert (answer.status_code, "Write why" in answer.text) == (400, True)
    assert f"{kept}</textarea>" in answer.text
    assert latest_record(owner, held)["kind"] == "observations"


def test_a_decision_without_an_answer_is_not_said_to_be_undone(owner, held, monkeypatch):
    def silent(*_):
        raise dynamodb.OutcomeUnknown("timeout")

    monkeypatch.setattr(pages_decide, "decide", silent)
    answer = owner.post(f"/agents/{held}/decide", to="initial", version="1", note="x")
    assert (answer.status_code, "Look before you try again" in answer.text) == (503, True)
    assert "Nothing was changed" not in answer.text


def test_what_nobody_offers_is_refused(owner, held):
    version = version_of(owner.get(f"/agents/{held}/decide"))
    assert owner.post(f"/agents/{held}/decide", to="created", version=version, note="x").status_code == 400
    assert owner.post(f"/agents/{held}/decide", to="initial", version="one", note="x").status_code == 400
    assert owner.get(f"/agents/{held}/decide?to=created").status_code == 404


def test_a_viewer_looks_and_does_not_decide(owner, held, member):
    viewer, version = member("viewer"), head_of(owner, held).version
    page = viewer.get(f"/agents/{held}/decide")
    assert page.status_code == 200
    assert "<form" not in page.text.partition("<main")[2]
    assert viewer.post(f"/agents/{held}/decide", to="initial", version=version, note="x").status_code == 403
    assert head_of(owner, held).version == version
    assert member("operator", "op@acme.example").post(
        f"/agents/{held}/decide", to="initial", version=version, note="x"
    ).status_code == 303  # fmt: skip


def test_the_agent_of_another_account_is_not_there(console, owner, held):
    other = Person(console, "eve@elsewhere.example")
    nobody = "inst_0000000000000000"
    for path in ("decide", "audit", "audit/verify", "audit/export"):
        theirs, none = (other.get(f"/agents/{instance_id}/{path}") for instance_id in (held, nobody))
        assert (theirs.status_code, none.status_code) == (404, 404), path
        strip = lambda response: response.text.replace(response.headers["X-Request-Id"], "")  # noqa: E731
        assert strip(theirs) == strip(none), path
    answer = other.post(f"/agents/{held}/decide", to="initial", version=head_of(owner, held).version, note="x")
    assert answer.status_code == 404
    assert latest_record(owner, held)["kind"] == "observations"


def test_names_notes_and_contexts_are_text(owner):
    agent = owner.agent(ATTACK)
    owner.report(agent, context={"tool": ATTACK})
    version = version_of(owner.get(f"/agents/{agent}/decide"))
    assert owner.post(f"/agents/{agent}/decide", to="rebaseline", version=version, note=ATTACK).status_code == 303
    for path in ("decide", "audit", "audit/verify"):
        text = owner.get(f"/agents/{agent}/{path}").text
        assert "&lt;script&gt;" in text, path
        assert "<script>" not in text, path
        assert "<img src=x" not in text, path
