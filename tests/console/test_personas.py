"""Personas and the personality test: what they show, the agents that are made from them, once, and by operators."""

import re

import pytest

from identity_engine import PERSONAS, VERSIONS, question_ids
from identity_service.store import account_trail, instances
from tests.console.person import Person

ATTACK = "<script>alert(1)</script>\"'"


def answers(version, letter="a"):
    return {name: f"{name}_{letter}" for name in question_ids(version)}


def packed(version, letter="a"):
    return {"test": version, "answers": letter * VERSIONS[version]}


def agents(person):
    return {row["name"]: row["id"] for row in instances.all_of(person.account_id)}


def form_of(page):
    return re.search(r'name="form" value="([\w-]+)"', page.text)[1]


def test_there_are_twelve_with_a_page_each(owner):
    listed = re.findall(r'/personas/(persona_\w+)"', owner.get("/personas").text)
    assert listed == [persona.id for persona in PERSONAS]
    for persona in PERSONAS:
        text = owner.get(f"/personas/{persona.id}").text
        assert persona.long_description in text
        for strength in persona.mode_profile:
            assert f"{strength:.2f}" in text.partition("<svg")[2]
    assert owner.get("/personas/nobody").status_code == 404


def test_an_agent_from_a_persona(owner):
    form = form_of(owner.get("/personas/persona_analytical"))
    for _ in range(2):
        made = owner.post("/personas/persona_analytical", name=" Ada ", form=form)
        assert made.status_code == 303
    instance_id = agents(owner)["Ada"]
    assert instance_id in made.headers["Location"]
    assert list(agents(owner)) == ["Ada"]
    assert instances.count(owner.account_id) == 1
    api = owner.api.post("/instances", json={"name": "Api", "initial_config": {"persona_id": "persona_analytical"}})
    same = instances.get(owner.account_id, api.json()["data"]["id"]).state
    assert instances.get(owner.account_id, instance_id).state == same
    record = owner.api.get(f"/instances/{instance_id}/audit").json()["data"][0]
    assert (record["kind"], record["actor"]) == ("created", owner.user.id)
    assert account_trail.latest(owner.account_id)[0]["what"] == "agent.created"


def test_another_name_in_the_same_form_is_another_agent(owner):
    for name in ("one", "two"):
        assert owner.post("/personas/persona_analytical", name=name, form="same").status_code == 303
    assert set(agents(owner)) == {"one", "two"}


@pytest.mark.parametrize("name", ["", "   ", "x" * 101])
def test_a_name_that_does_not_work(owner, name):
    for path, fields in (("/personas/persona_analytical", {}), ("/test", packed("v1"))):
        page = owner.post(path, name=name, form="x", **fields)
        assert (page.status_code, "Give the agent a name" in page.text) == (400, True), path
    assert agents(owner) == {}


def test_the_plans_limit_is_said(owner):
    for number in range(3):
        assert owner.post("/personas/persona_analytical", name=f"{number}", form="x").status_code == 303
    page = owner.post("/test", name="fourth", form="y", **packed("v1"))
    assert (page.status_code, "The plan allows 3 agents" in page.text) == (400, True)
    assert 'value="fourth"' in page.text


@pytest.mark.parametrize("version", VERSIONS)
def test_the_result_is_the_apis(owner, version):
    page = owner.get("/test", params={"test": version, "sent": "1"} | answers(version, "b"))
    assert page.status_code == 200
    responses = [{"question_id": name, "selected_option_id": value} for name, value in answers(version, "b").items()]
    body = {"create_instance": True, "instance_name": "Api", "version": version, "responses": responses}
    result = owner.api.post("/test/submit", json=body).json()["data"]
    assert re.findall(r'/personas/(persona_\w+)"', page.text) == [match["id"] for match in result["matched_personas"]]
    for match in result["matched_personas"]:
        assert f"{match['match_score']:.2f}" in page.text
    for strength in result["mode_profile"].values():
        assert f"{strength:.2f}" in page.text.partition("<svg")[2].partition("</svg>")[0]
    made = owner.post("/test", name="Mine", form=form_of(page), **packed(version, "b"))
    assert made.status_code == 303
    mine, api = (instances.get(owner.account_id, agents(owner)[name]).state for name in ("Mine", "Api"))
    assert mine == api


def test_what_is_not_answered_is_shown_and_the_rest_is_kept(owner):
    given = answers("v1")
    for name in ("q2", "q11"):
        del given[name]
    page = owner.get("/test", params={"test": "v1", "sent": "1", **given, "q5": "q5_z"})
    assert page.status_code == 400
    assert "3 questions are not answered" in page.text
    assert re.findall(r'href="#(q\d+)"', page.text) == ["q2", "q5", "q11"]
    assert page.text.count('class="wrong"') == 3
    assert page.text.count(" checked>") == 9


def test_an_empty_form_complains_of_nothing(owner):
    page = owner.get("/test?test=v2")
    assert (page.status_code, page.text.count("<fieldset"), "not answered" in page.text) == (200, 24, False)
    assert owner.get("/test?test=v4").status_code == 400


@pytest.mark.parametrize("letters", ["", "a" * 11, "z" * 12, "é" * 12])
def test_answers_that_no_form_sends(owner, letters):
    assert owner.post("/test", test="v1", answers=letters, name="x", form="x").status_code == 400
    assert agents(owner) == {}


def test_an_agent_gets_a_result_once_after_its_preview(owner):
    agent = owner.agent("Aria", ("STRESS_RESPONSE", 0.9, 20))
    page = owner.get(f"/agents/{agent}/test", params={"test": "v1", "sent": "1"} | answers("v1"))
    assert 'class="act-mark freed"' in page.text
    version = re.search(r'name="version" value="(\d+)"', page.text)[1]
    for _ in range(2):
        done = owner.post(f"/agents/{agent}/test", version=version, note="a new task", **packed("v1"))
        assert done.status_code == 303
    rows = owner.api.get(f"/instances/{agent}/audit").json()["data"]
    assert [(row["kind"], row.get("note")) for row in rows[1:]] == [("observations", None), ("retest", "a new task")]
    assert rows[-1]["actor"] == owner.user.id
    assert owner.api.get(f"/instances/{agent}/audit/verify").json()["data"]["verified"] is True
    later = owner.post(f"/agents/{agent}/test", version=version, note="other", **packed("v1", "b"))
    assert (later.status_code, "nothing was stored" in later.text) == (409, True)
    without = owner.post(f"/agents/{agent}/test", version="3", note=" ", **packed("v1"))
    assert (without.status_code, "Write why" in without.text) == (400, True)


def test_a_viewer_takes_the_test_and_creates_nothing(owner, member):
    viewer, agent = member("viewer"), owner.agent("Aria")
    for path in ("/test", f"/agents/{agent}/test"):
        page = viewer.get(path, params={"test": "v1", "sent": "1"} | answers("v1"))
        assert "Most like" in page.text
        assert "<form" not in page.text.partition("<main")[2]
    assert "<form" not in viewer.get("/personas/persona_analytical").text.partition("<main")[2]
    head = instances.get(owner.account_id, agent)
    for path, fields in (
        ("/test", {"name": "x", "form": "x", **packed("v1")}),
        ("/personas/persona_analytical", {"name": "x", "form": "x"}),
        (f"/agents/{agent}/test", {"version": head.version, "note": "x", **packed("v1")}),
    ):
        assert viewer.post(path, **fields).status_code == 403, path
    assert agents(owner) == {"Aria": agent}
    assert instances.get(owner.account_id, agent) == head


def test_the_agent_of_another_account_gets_nothing(console, owner):
    agent, other = owner.agent("Aria"), Person(console, "eve@elsewhere.example")
    assert other.get(f"/agents/{agent}/test").status_code == 404
    assert other.post(f"/agents/{agent}/test", version="1", note="x", **packed("v1")).status_code == 404


def test_what_is_typed_is_text(owner):
    agent = owner.agent("Aria")
    pages = [
        owner.post("/test", name=ATTACK * 9, form=ATTACK, **packed("v1")),
        owner.post("/personas/persona_analytical", name=ATTACK * 9, form=ATTACK),
        owner.post(f"/agents/{agent}/test", version="7", note=ATTACK, **packed("v1")),
    ]
    for page in pages:
        assert page.status_code in (400, 409)
        assert "&lt;script&gt;" in page.text
        assert "<script>alert" not in page.text
    assert owner.post("/personas/persona_analytical", name=ATTACK, form="x").status_code == 303
    assert "<script>alert" not in owner.get(f"/agents/{agents(owner)[ATTACK]}/test").text
