"""The pages about agents: who needs a person comes first, why actions are held back, the timeline, the record of a report."""

import re

import pytest

from benchmarks.speed.story import restless
from functions.console.pages import agents
from identity_service.store import accounts, dynamodb, instances
from tests.browser.scenario import STORY, WORK, calm
from tests.conftest import Caller
from tests.console.person import BASE, Person
from tests.console.test_hops import hops  # noqa: F401 - a fixture

ATTACK = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&{{7*7}}"
STRESS = {"mode_target": "STRESS_RESPONSE", "signal_strength": 0.95}


class Agents:
    """Reports for agents of a person's account."""

    def __init__(self, edge, person):
        self.caller = Caller(edge, "enterprise")
        key = accounts.create_key(person.account_id, "bot").secret
        self.caller.client.headers["Authorization"] = f"Bearer {key}"
        dynamodb.write(dynamodb.update({"PK": f"ACCOUNT#{person.account_id}", "SK": "ACCOUNT"}, "SET #plan = :plan",
                                       {":plan": "enterprise"}, names={"#plan": "plan"}))  # fmt: skip

    def new(self, name="Aria", *batches):
        one = self.caller.new_instance(name)
        for observations in batches:
            self.report(one, observations)
        return one

    def report(self, one, observations):
        body = {"observations": observations}
        assert self.caller.post(f"/instances/{one}/process/batch", json=body).status_code == 200


@pytest.fixture
def made(console, owner):
    return Agents(console, owner)


def main(response):
    assert response.status_code == 200, response.text
    return re.sub(r"\s+", " ", response.text.partition("<main")[2])


def text(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", main(response)))


def rows(response):
    return re.findall(r'<a id="to-inst_\w+" href="[^"]*">([^<]*)</a>', response.text)


def test_an_account_without_agents_begins_with_the_first_steps_and_says_what_to_do(owner, made):
    assert owner.get(BASE).headers["Location"].endswith("/welcome")
    assert "No agent yet" in text(owner.get("/agents"))
    assert "/welcome" in main(owner.get("/agents"))
    made.new("Aria")
    assert owner.get(BASE).headers["Location"].endswith("/agents")
    assert rows(owner.get("/agents")) == ["Aria"]


def test_who_needs_a_person_comes_first_then_all_by_name(owner, made):
    made.new("beta", WORK)
    made.new("Alpha", WORK)
    made.new("zeta", *STORY["invoice-agent"])
    made.new("gamma")
    tired = made.new("yankee", [calm("x")] * 10 + [STRESS] * 10)
    assert (contract(made, tired)["should_pause"], contract(made, tired)["should_escalate"]) == (True, False)
    page = owner.get("/agents")
    assert rows(page) == ["zeta", "yankee", "Alpha", "beta", "gamma"]
    assert "5 agents · 2 need a person" in text(page)
    assert "escalated: OVER for" in text(page)
    assert "paused: energy is" in text(page)
    # It recovers, and takes its place by name again.
    made.report(tired, [calm("x")] * 40)
    assert rows(owner.get("/agents")) == ["zeta", "Alpha", "beta", "gamma", "yankee"]


def contract(made, one):
    return made.caller.get(f"/instances/{one}/contract").json()["data"]


def test_only_a_change_writes_to_the_index_of_who_needs_a_person(owner, made):
    def index():
        return instances.needing(owner.account_id, 100)

    one = made.new("Aria", [calm("x")] * 5)
    assert index() == []
    made.report(one, [STRESS] * 25)
    assert index() == [one]
    key = instances.head_key(owner.account_id, one)
    assert dynamodb.get(key)["by_need"] == f"1#{one}"
    made.caller.post(f"/instances/{one}/reset", json={"mode": "last_stable"}).raise_for_status()
    assert index() == []
    assert "by_need" not in dynamodb.get(key)


def test_the_page_of_a_name_and_pages_of_many(owner, made, monkeypatch):
    monkeypatch.setattr(agents, "ROWS", 2)
    for name in ("one", "two", "three", "Thirty-three", "five"):
        made.new(name)
    made.new("zulu", [STRESS] * 30)
    seen = []
    for number in (1, 2, 3):
        seen += rows(owner.get(f"/agents?page={number}"))
    assert seen == ["zulu", "five", "one", "Thirty-three", "three", "two"]
    assert rows(owner.get("/agents?page=4")) == []
    assert "3 to 4 of 6" in text(owner.get("/agents?page=2"))
    assert rows(owner.get("/agents?q=THREE")) == ["Thirty-three", "three"]
    assert "Nothing is called that" in text(owner.get("/agents?q=nobody"))
    assert owner.get("/agents?page=0").status_code == 400


def test_a_thousand_agents_in_two_hops(owner, made, monkeypatch, request):
    source = made.new("agent 0000")
    head = dynamodb.get(instances.head_key(owner.account_id, source))
    for number in range(1, 1000):
        one = f"inst_{number:016x}"
        copy = head | instances.head_key(owner.account_id, one)
        copy |= {
            "id": one,
            "name": f"agent {number:04}",
            "by_name": f"agent {number:04}#{one}",
            "by_created": f"{number}#{one}",
        }
        if number % 100 == 99:
            copy["by_need"] = f"2#{one}"
        dynamodb.write(dynamodb.put(copy, "attribute_not_exists(PK)"))
    counted = request.getfixturevalue("hops")
    page = owner.get("/agents")
    assert max(counted.waited, counted.beside) == 2
    assert len(rows(page)) == agents.ROWS
    assert sorted(rows(page)[:10]) == [f"agent {number:04}" for number in range(99, 1000, 100)]
    assert "1,000 agents · 10 need a person" in text(page)
    assert rows(owner.get("/agents?page=20"))[-1] == "agent 0998"


def test_a_person_makes_an_agent_empty_or_from_a_persona(owner):
    answer = owner.post("/agents", name=" Aria ")
    assert answer.status_code == 303
    one = answer.headers["Location"].rpartition("/")[2]
    head = instances.get(owner.account_id, one)
    assert head.name == "Aria"
    assert "Nothing reported yet" in text(owner.get(f"/agents/{one}"))
    answer = owner.post("/agents", name="Ada", persona="persona_guardian")
    ada = instances.get(owner.account_id, answer.headers["Location"].rpartition("/")[2])
    assert ada.document()["profile"]["core_modes"]
    (record,) = [record for record, _ in audit_records(ada)]
    assert (record["kind"], record["actor"]) == ("created", owner.user.id)


def audit_records(head):
    from identity_service.store import audit_trail

    return audit_trail.records(head.trail_position())


@pytest.mark.parametrize(
    "fields", [{"name": ""}, {"name": " "}, {"name": "x" * 101}, {"name": "x", "persona": "persona_nobody"}]
)
def test_what_makes_no_agent_says_so(owner, fields):
    answer = owner.post("/agents", **fields)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert instances.count(owner.account_id) == 0


def test_the_plans_limit_holds_in_the_console(owner):
    for name in ("one", "two", "three"):
        assert owner.post("/agents", name=name).status_code == 303
    answer = owner.post("/agents", name="four")
    assert (answer.status_code, "The plan allows 3 agents" in answer.text) == (400, True)


def test_the_agent_says_what_is_held_back_why_and_what_brings_it_back(owner, made):
    one = made.new("support-bot", *STORY["support-bot"])
    said = text(owner.get(f"/agents/{one}"))
    (calm_reports,) = re.findall(
        r"explore execute pivot challenge Stress is 0\.\d\d, the limit 0\.55\. Back: (\d+) calm reports", said
    )
    explained = made.caller.get(f"/instances/{one}/contract?explain=true").json()["data"]["explanation"]
    by_action = {each["action"]: each for each in explained}
    assert int(calm_reports) == by_action["execute"]["calm_cycles"]
    assert by_action["execute"]["because"].replace(">=", "&gt;=") in owner.get(f"/agents/{one}").text
    for action in contract(made, one)["allowed_actions"]:
        assert action in said
    assert contract(made, one)["narrative_prompt"] in said
    assert "refund failed 5 times in a row TimeoutError" in said
    assert "refund denied: execute is held back at HIGH" in said
    assert "stress rose HIGH → OVER" in said


def test_an_agent_that_is_held_says_so_and_an_agent_that_works_holds_nothing_back(owner, made):
    held = text(owner.get(f"/agents/{made.new('held', *STORY['invoice-agent'])}"))
    assert "It waits for a person: OVER for 22 cycles" in held
    works = text(owner.get(f"/agents/{made.new('works', WORK * 9)}"))
    assert "Nothing. It may do everything" in works
    assert "search_orders, read_policy, reply worked 27 calls" in works


@pytest.mark.parametrize("setup", ["volatile", "chronic", "rollback", "strict", "averse"])
def test_every_rule_has_words(owner, made, setup):
    foreign = [{"mode_target": mode, "signal_strength": 0.95} for mode in ("EXPLORATION", "ASSERTION", "CONNECTION")]
    config = {
        "strict": {"profile": {"governance": "strict", "suppressed_modes": ["ASSERTION"]}},
        "averse": {"profile": {"governance": "relaxed", "risk_posture": "averse"}},
    }.get(setup, {})
    one = made.caller.new_instance(setup, initial_config=config)
    for batch in {
        "volatile": [[restless(100 * start + number) for number in range(100)] for start in range(3)],
        "chronic": [[STRESS | {"signal_strength": 0.3}, calm("x")] * 30 + [STRESS | {"signal_strength": 0.3}] * 20],
        "rollback": [[calm("x")] * 60, [calm("x")] * 60, foreign * 8],
        "strict": [[calm("x")] * 20],
        "averse": [[calm("x")] * 20],
    }[setup]:  # fmt: skip
        made.report(one, batch)
    said = text(owner.get(f"/agents/{one}"))
    removed = [each for each in made.caller.get(f"/instances/{one}/contract?explain=true").json()["data"]["explanation"]
               if not each["allowed"] and each["rule"] != "always_forbidden"]  # fmt: skip
    words = {
        "volatile": "what it does cannot be foretold",
        "chronic": "reports were stress, the limit is 24",
        "after_rollback": "it was put back to its last stable self",
        "governance_strict": "none of its active modes brings them",
        "suppressed_modes": "its profile suppresses the modes",
        "risk_posture": "its profile takes no risks",
    }
    assert removed
    assert {each["rule"] for each in removed} & set(words)
    for each in removed:
        expected = words.get(each["rule"], "")
        assert expected.lower() in said.lower()


def test_the_timeline_comes_late_and_zooms_by_links(owner, made):
    one = made.new("Aria", *[[calm("x")] * 60] * 3, *STORY["support-bot"])
    page = main(owner.get(f"/agents/{one}"))
    assert f'hx-get="http://localhost:8000/console/agents/{one}/timeline"' in page
    assert '<svg class="ic ic-timeline' not in page
    part = owner.get(f"/agents/{one}/timeline", headers={"HX-Request": "true"})
    assert part.text.lstrip().startswith("<section")
    whole = owner.get(f"/agents/{one}/timeline")
    assert "<html" in whole.text
    assert "Last 100 reports" in text(whole)
    older = re.search(r'href="([^"]+before=\d+)"', whole.text)[1].replace("&amp;", "&")
    first = text(owner.get(older.partition("/console")[2]))
    assert re.search(r"Reports \d+ to \d+", first)
    assert "All 295 reports" in text(owner.get(f"/agents/{one}/timeline?cycles=1000"))
    assert owner.get(f"/agents/{one}/timeline?cycles=1001").status_code == 400
    assert len(re.findall(r"<title>denied, report", part.text)) == 4  # both charts
    assert f'href="/console/agents/{one}/reports/' in part.text


def test_marks_of_what_happened(owner, made):
    one = made.new("Aria", [calm("x")] * 30, [STRESS | {"severity": "incident"}] + [STRESS] * 30)
    made.caller.post(f"/instances/{one}/reset", json={"mode": "rebaseline", "note": "checked"}).raise_for_status()
    made.report(one, [calm("x")] * 2)
    part = owner.get(f"/agents/{one}/timeline", headers={"HX-Request": "true"}).text
    for kind in ("incident", "paused", "escalated", "decided"):
        assert f"<title>{kind}, report" in part, kind
    assert "rebaseline: checked" in part
    assert "decided: this is the new normal" in text(owner.get(f"/agents/{one}"))
    said = text(owner.get(f"/agents/{one}/reports/61"))
    assert "After it: rebaseline checked" in said


def test_nothing_comes_while_nothing_has_changed(owner, made):
    one = made.new("Aria", WORK)
    version = instances.get(owner.account_id, one).version
    same = owner.get(f"/agents/{one}?seen={version}", headers={"HX-Request": "true"})
    assert (same.status_code, same.content) == (204, b"")
    made.report(one, WORK)
    changed = owner.get(f"/agents/{one}?seen={version}", headers={"HX-Request": "true"})
    assert (changed.status_code, changed.headers["HX-Trigger"]) == (200, "renewed")


def test_the_record_of_a_report(owner, made):
    one = made.new("Aria", WORK, [calm("big") | {"context": {"tool": "big", "text": "é" * 4000}}] * 100, [STRESS])
    page = owner.get(f"/agents/{one}/reports/2")
    said = text(page)
    ((record, _),) = [found for found in audit_records(instances.get(owner.account_id, one)) if found[0]["record"] == 2]
    for expected in (record["digest"], record["previous"], "by bot", "read_policy", "one of 3 that came in one request"):
        assert expected in said
    for seq in (4, 60, 103):
        assert "one of 100 that came in one request" in text(owner.get(f"/agents/{one}/reports/{seq}"))
    last = text(owner.get(f"/agents/{one}/reports/104"))
    assert "Stress response 0.95" in last
    assert "Audit record 4" in last
    for seq in (0, 105, -1, 10**30):
        assert owner.get(f"/agents/{one}/reports/{seq}").status_code == 404, seq
    assert owner.get(f"/agents/{one}/reports/x").status_code == 400


def test_a_report_says_what_was_held_back_after_it_as_the_agents_page_did_then(owner, made):
    one = made.new("Aria", WORK, [STRESS] * 4)
    then = re.search(r"Stress is [^.]+\.\d+, the limit [^.]+\.\d+", text(owner.get(f"/agents/{one}")))[0]
    made.report(one, WORK * 20)
    assert then not in text(owner.get(f"/agents/{one}"))
    assert then in text(owner.get(f"/agents/{one}/reports/{len(WORK) + 4}"))
    assert "Held back" not in text(owner.get(f"/agents/{one}/reports/1"))


def test_a_record_of_an_older_version_is_shown_too(owner, made):
    one = made.new("Aria", WORK, WORK)
    key = {"PK": instances.partition(owner.account_id, one), "SK": f"OBS#{6:012d}"}
    dynamodb.write(dynamodb.update(key, "REMOVE turns", {}))
    assert "read_policy" in text(owner.get(f"/agents/{one}/reports/5"))
    assert "search_orders" in text(owner.get(f"/agents/{one}"))
    assert "3 of them were processed by engine 1.0.0 or before" in text(owner.get(f"/agents/{one}/timeline"))


def test_names_and_contexts_are_text_and_never_markup(owner, made):
    context = {"tool": ATTACK, "outcome": ATTACK, "reason": ATTACK, "error_class": ATTACK, ATTACK: [ATTACK]}
    one = made.new(ATTACK, [
        {"mode_target": "PERCEPTION", "signal_strength": 0.5, "context": context},
        {"mode_target": "STRESS_RESPONSE", "signal_strength": 0.9, "severity": "incident", "context": context},
        {"mode_target": "STRESS_RESPONSE", "signal_strength": 0.9, "context": context},
        {"mode_target": "IDENTITY", "signal_strength": 0.2, "context": context | {"outcome": "denied"}},
    ])  # fmt: skip
    made.caller.post(f"/instances/{one}/reset", json={"mode": "last_stable", "note": ATTACK}).raise_for_status()
    at = f"/agents/{one}"
    paths = ["/agents", at, f"{at}/timeline", *(f"{at}/reports/{seq}" for seq in range(1, 5)), "/agents?q=%3Cscript%3E"]
    for path in paths:
        page = owner.get(path)
        assert "&lt;script" in main(page), path
        assert "<script>alert" not in page.text, path
        assert "<img src=x" not in page.text, path
        assert "49" not in re.findall(r"&amp;(.{0,8})", page.text), path
        assert not re.search(r"\sstyle=|\son\w+=", re.sub(r"&lt;.*?&gt;", "", page.text)), path
    for context in ({"tool": ["x"], "outcome": {"a": 1}}, {"tool": None, "reason": 1}, {"outcome": "denied", "tool": {}}):
        for mode in ("IDENTITY", "STRESS_RESPONSE", "ORDER"):
            made.report(one, [{"mode_target": mode, "signal_strength": 0.2, "context": context}])
    for path in (at, f"{at}/timeline", f"{at}/reports/10"):
        assert owner.get(path).status_code == 200


def test_another_accounts_agent_is_the_404_of_none(console, owner, made):
    one = made.new("Aria", WORK)
    other = Person(console, "eve@elsewhere.example")
    for path in ("", "/timeline", "/reports/1"):
        mine, theirs = other.get(f"/agents/{one}{path}"), other.get(f"/agents/inst_0000000000000000{path}")
        assert (mine.status_code, theirs.status_code) == (404, 404), path
        hide = re.compile(r"request <code>[^<]*</code>")
        assert hide.sub("", mine.text) == hide.sub("", theirs.text)
        assert owner.get(f"/agents/{one}{path}").status_code == 200
    assert rows(other.get("/agents")) == []


def test_a_viewer_sees_all_and_creates_nothing(member, owner, made):
    one = made.new("held", *STORY["invoice-agent"])
    viewer = member("viewer")
    page = viewer.get("/agents")
    assert rows(page) == ["held"]
    assert "New agent" not in page.text
    for path in (f"/agents/{one}", f"/agents/{one}/timeline", f"/agents/{one}/reports/3"):
        assert '<form method="post"' not in main(viewer.get(path))
    assert viewer.get("/agents/new").status_code == 403
    assert viewer.post("/agents", name="mine").status_code == 403
    assert instances.count(owner.account_id) == 1


def test_pages_of_an_agent_in_two_hops(owner, made, hops):  # noqa: F811
    one = made.new("Aria", *STORY["support-bot"])
    for path in ("", "/timeline", "/timeline?cycles=10&before=50", "/reports/3"):
        hops.waited = hops.beside = 0
        assert owner.get(f"/agents/{one}{path}").status_code == 200
        assert max(hops.waited, hops.beside) <= 2, path
