"""What if: what the form computes is what the API would answer, and nothing is stored."""

import re

import pytest

from identity_service.store import instances
from tests.console.person import Person


@pytest.fixture
def agent(owner):
    return owner.agent("Aria", ("ORDER", 0.6, 5))


def asked(*rows, **more):
    columns = zip(("mode", "strength", "confidence", "severity", "times"), zip(*rows, strict=True), strict=True)
    return {name: list(values) for name, values in columns} | more


FAILURES = ("STRESS_RESPONSE", "0.9", "1", "normal", "6")


def test_it_shows_what_the_api_would_answer(owner, agent):
    page = owner.get(f"/agents/{agent}/what-if", params=asked(FAILURES))
    body = {"observations": [{"mode_target": "STRESS_RESPONSE", "signal_strength": 0.9}] * 6}
    then = owner.api.post(f"/instances/{agent}/simulate", json=body).json()["data"]
    now = owner.api.get(f"/instances/{agent}/contract").json()["data"]
    lost = set(re.findall(r'class="act-mark lost">.*?<s>(\w+)</s>', page.text))
    assert lost == set(now["allowed_actions"]) - set(then["contract"]["allowed_actions"]) != set()
    assert f"</svg>{then['contract']['stress_state']}</span>" in page.text
    last = page.text.rpartition("<tbody>")[2].rpartition("<tr>")[2]
    figures = re.findall(r'class="right">([\d.]+)', last)
    strength = then["snapshot"]["mode_strengths"]["STRESS_RESPONSE"]
    expected = ["6", f"{strength:.2f}", f"{then['contract']['energy_level']:.2f}", f"{then['contract']['trust']:.2f}"]
    assert figures[:4] == expected


def test_rows_count_in_their_order_and_an_incident_is_one(owner, agent):
    calm = ("ORDER", "0.5", "1", "normal", "3")
    incident = ("STRESS_RESPONSE", "0.9", "1", "incident", "1")
    page = owner.get(f"/agents/{agent}/what-if", params=asked(calm, incident))
    assert "After 4 reports" in page.text
    states = re.findall(r"</svg>(\w+)</span>", page.text.rpartition("<tbody>")[2])
    assert states == ["LOW", "LOW", "LOW", "HIGH"]


def test_nothing_is_stored_and_no_cycle_is_counted(owner, agent):
    before = instances.get(owner.account_id, agent)
    month = owner.get("/settings/usage").text
    for _ in range(3):
        assert owner.get(f"/agents/{agent}/what-if", params=asked(FAILURES)).status_code == 200
    assert instances.get(owner.account_id, agent) == before
    cycles = r'Cycles this month" value="(\d+)"'
    assert re.search(cycles, owner.get("/settings/usage").text)[1] == re.search(cycles, month)[1] == "5"


def test_rows_are_added_and_removed_and_keep_what_was_typed(owner, agent):
    page = owner.get(f"/agents/{agent}/what-if", params=asked(FAILURES, do="add"))
    assert (page.text.count("<fieldset"), page.text.count('value="6"')) == (2, 1)
    assert "After" not in page.text
    other = ("ORDER", "0.25", "1", "normal", "2")
    page = owner.get(f"/agents/{agent}/what-if", params=asked(FAILURES, other, do="0"))
    assert (page.text.count("<fieldset"), 'value="0.25"' in page.text, 'value="6"' in page.text) == (1, True, False)
    page = owner.get(f"/agents/{agent}/what-if", params=asked(*[FAILURES] * 20, do="add"))
    assert page.text.count("<fieldset") == 8


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (("NONSENSE", "0.9", "1", "normal", "1"), "mode: not a mode"),
        (("ORDER", "much", "1", "normal", "1"), "strength is a number"),
        (("ORDER", "1.5", "1", "normal", "1"), "strength: a number from 0 to 1"),
        (("ORDER", "nan", "1", "normal", "1"), "strength: a number from 0 to 1"),
        (("ORDER", "0.5", "-1", "normal", "1"), "confidence: a number from 0 to 1"),
        (("ORDER", "0.5", "1", "incident", "1"), "an incident is of STRESS_RESPONSE"),
        (("ORDER", "0.5", "1", "normal", "0"), "times is a number from 1 to 100"),
        (("ORDER", "0.5", "1", "normal", "²"), "times is a number from 1 to 100"),
        (("ORDER", "0.5", "1", "normal", "9" * 20), "times is a number from 1 to 100"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value)[:24],
)
def test_a_row_that_does_not_work_says_why(owner, agent, row, problem):
    page = owner.get(f"/agents/{agent}/what-if", params=asked(FAILURES, row))
    assert page.status_code == 400
    assert problem in page.text.partition("Reports 2")[2]
    assert "After" not in page.text


def test_at_most_a_hundred_reports(owner, agent):
    row = ("ORDER", "0.5", "1", "normal", "51")
    page = owner.get(f"/agents/{agent}/what-if", params=asked(row, row))
    assert (page.status_code, "At most 100 reports" in page.text) == (400, True)
    row = ("ORDER", "0.5", "1", "normal", "50")
    assert "After 100 reports" in owner.get(f"/agents/{agent}/what-if", params=asked(row, row)).text


def test_agents_to_choose_from_are_the_accounts_own(console, owner, agent):
    other = Person(console, "eve@elsewhere.example")
    assert f"/agents/{agent}/what-if" in owner.get("/what-if").text
    assert "There is no agent yet" in other.get("/what-if").text
    assert other.get(f"/agents/{agent}/what-if").status_code == 404


def test_what_is_typed_is_text(owner, agent):
    attack = '"><script>x</script>'
    page = owner.get(f"/agents/{agent}/what-if", params=asked((attack, attack, attack, attack, attack)))
    assert page.status_code == 400
    assert "<script>x" not in page.text


def test_a_viewer_may_ask(agent, member):
    assert "After 6 reports" in member("viewer").get(f"/agents/{agent}/what-if", params=asked(FAILURES)).text
