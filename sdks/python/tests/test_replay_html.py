"""The page of a replay: one file that needs nothing and trusts nothing, the most remarkable runs first."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from identity_os_sdk.models import Action
from identity_os_sdk.replay import Called, Played, Problem, Refusal, Returned, Run, Settings, Turn, play
from identity_os_sdk.replay.html import write
from identity_os_sdk.replay.summary import Summary
from identity_os_sdk.replay.table import refusals, rows
from identity_os_sdk.tools import ToolMap

HOSTILE = "</title></code><script>alert(1)</script><img src=x onerror='alert(2)' style=\"color:red\">{{ 7*7 }}\x1b"


class Page(HTMLParser):
    """The elements of a page, its text, and whether each element is closed."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.ids, self.words, self.unclosed = [], [], [], [], []
        self.feed(text)
        self.unclosed += self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if self.open and self.open[-1] == tag:
            self.open.pop()
        else:
            self.unclosed.append(f"/{tag}")

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "title", "desc"):
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def of(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def steps(*outcomes, tool="pay", arguments="1"):
    made = []
    for number, error in enumerate(outcomes):
        made += [Called(tool, arguments, str(number)), Returned(str(number), None if error else "paid", error)]
    return tuple(made)


def run(name, *outcomes, agent="support-bot", task="t", succeeded=None, tool="pay", source=""):
    return Run(name, agent, task, steps(*outcomes, tool=tool), succeeded=succeeded, source=source)


def replayed(tmp_path, runs, *, title="Replay of runs.jsonl", keep=200, problems=()):
    summary = Summary(ToolMap({}, Action.EXECUTE), keep=keep)
    for problem in problems:
        summary.problem(problem)
    for each in play(runs, Settings()):
        summary.add(each)
    path = tmp_path / "page.html"
    write(path, summary, [each.played for each in summary.kept()], title=title)
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture
def page(tmp_path):
    calm = [run(f"calm-{number}", None, None, succeeded=True) for number in range(12)]
    failing = [run(f"failing-{number}", "down", "down", "down", None, succeeded=False) for number in range(12)]
    false = run("false", "down", "down", "down", None, succeeded=True)
    return replayed(tmp_path, [*calm, *failing, false])


def test_the_page_is_whole_and_needs_neither_network_nor_script(page, tmp_path):
    assert page.unclosed == []
    assert len(page.ids) == len(set(page.ids))
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "image", "use"}
    for _, attributes in page.elements:
        assert not [name for name in attributes if name == "style" or name == "src" or name.startswith("on")]
        assert (attributes.get("href") or "#").startswith("#")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert set(re.findall(r"\w+://[^\s\"'<]+", text)) <= {"http://www.w3.org/2000/svg"}, "the name of SVG, no address"
    assert "url(" not in text
    assert "@import" not in text


def test_the_policy_lets_the_pages_own_style_in_and_nothing_else(page, tmp_path):
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    [style] = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policies = [meta["content"] for meta in page.of("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policies == [f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"]


def test_links_lead_to_rows_of_the_page(page):
    targets = {attributes["href"].removeprefix("#") for attributes in page.of("a")}
    assert targets
    assert targets <= set(page.ids)


def test_the_summary_stands_at_the_top(page):
    top = page.text.partition("Most worth a look")[0]
    assert "25 runs of 1 agent, 76 calls. 13 succeeded, 12 failed." in top
    assert "Would have been refused 13 calls of 76, in 13 runs; 13 of 76 changing calls (17.1%)" in top
    assert "False refusals 1 of 28 changing calls in runs that succeeded" in top
    assert "13 denied execute is not allowed while stress is HIGH pay 13" in top
    assert "stress reaches HIGH 0.92 1.000 1" in top
    assert "2 or more failed or repeated calls" in top
    assert re.search(r"LOW [\d.]+% \d+ MED [\d.]+% \d+ HIGH [\d.]+% 26 OVER 0.0% 0 warm-up 100.0%", top)


def test_a_reason_is_one_row_however_many_tools_it_held(tmp_path):
    down = ("down", "down", "down", None)
    runs = [run(f"{tool}-{number}", *down, tool=tool) for number in range(2) for tool in ("pay", "refund", "book")]
    top = replayed(tmp_path, runs).text.partition("Most worth a look")[0]
    assert top.count("execute is not allowed while stress is HIGH") == 1
    assert "6 denied execute is not allowed while stress is HIGH pay 2 , refund 2 , book 2" in top


def test_the_ten_most_remarkable_runs_come_first_and_the_others_are_folded(page):
    top = [name for name in page.ids if re.fullmatch(r"top-\d+", name)]
    others = [name for name in page.ids if re.fullmatch(r"run-\d+", name)]
    assert (len(top), len(others)) == (10, 15)
    first = page.text.partition("in the table. ")[2]
    assert first.startswith("HIGH false succeeded 1 changing call would have been refused; the run succeeded;")
    assert len([one for one in page.of("details") if one.get("class") == "card run"]) == 15
    assert len(page.of("svg")) > 2 * 10 + 15, "a wide and a compact timeline, or the compact one, and shapes"
    assert {"open"} & {name for one in page.of("details") for name in one} == set()


def test_a_run_has_its_outcome_its_turns_and_the_reasons(page):
    first = page.text.partition("HIGH false succeeded")[2].partition("HIGH failing-")[0]
    assert "pay would have been denied: execute is not allowed while stress is HIGH 4 turns" in first
    assert "1 pay : a call failed Stress response 0.45 LOW 0.20" in first
    table = first.partition("actions")[2]
    assert table.index("would have been denied") < table.index("a call was denied; the first in a row")


def test_words_of_strangers_are_escaped(tmp_path):
    hostile = [
        run(HOSTILE, "down", "down", "down", None, agent=HOSTILE, task=HOSTILE, tool=HOSTILE, source=HOSTILE),
        run(f"{HOSTILE} \x00 \ud800", None, agent="b", task=HOSTILE, tool=HOSTILE, source=HOSTILE),
    ]
    page = replayed(tmp_path, hostile, title=HOSTILE, problems=[Problem(HOSTILE, HOSTILE)])
    assert page.unclosed == []
    assert not {tag for tag, _ in page.elements} & {"script", "img"}
    assert not [1 for _, attributes in page.elements if "onerror" in attributes or "style" in attributes]
    assert "{{ 7*7 }}" in page.text
    assert page.text.count("<script>alert(1)</script>") > 10


def test_nothing_refused_and_no_outcome_known(tmp_path):
    page = replayed(tmp_path, [run("calm", None)])
    assert "Nothing. These agents would have worked as they did." in page.text
    assert "No outcome is known" in page.text
    assert "No run stands out" in page.text
    assert "The other run " in page.text


def test_runs_that_the_summary_did_not_keep_are_counted(tmp_path):
    page = replayed(tmp_path, [run(f"calm-{number}", None) for number in range(20)], keep=12)
    assert "8 quieter runs more in the counts above" in page.text
    assert len([name for name in page.ids if re.fullmatch(r"run-\d+", name)]) == 12


def test_a_run_without_any_turn(tmp_path):
    page = replayed(tmp_path, [Run("empty", "a", "t", ())])
    assert "No turns yet." in page.text


def turn(number, **others):
    values = {
        "rule": "read",
        "tool": "get",
        "mode": "PERCEPTION",
        "strength": 0.5,
        "incident": False,
        "stress": 0.0,
        "stress_state": "LOW",
        "energy": 1.0,
        "drift_level": "D0",
        "drift": 0.01,
        "rolled_back": False,
        "allowed": 12,
        "paused": False,
        "escalated": False,
    }
    return Turn(number, **(values | others))


def refusal(at, reason="because"):
    return Refusal(at, str(at), "pay", Action.EXECUTE, "deny", reason)


def test_quiet_turns_of_a_long_run_are_one_row_and_all_others_have_their_own():
    turns = [turn(number) for number in range(1, 101)]
    turns[49] = turn(50, mode="STRESS_RESPONSE", rule="failed")
    turns[59] = turn(60, drift_level="D2")
    played = Played(Run("1", "a", "t", ()), tuple(turns), (refusal(70), refusal(70), refusal(70, "another")), 100, 3)
    found = [(row.first, row.last, row.refusal.reason if row.refusal else None, row.times) for row in rows(played)]
    assert found == [
        (1, 1, None, 1),
        (2, 49, None, 1),
        (50, 50, None, 1),
        (51, 59, None, 1),
        (60, 60, None, 1),
        (61, 61, None, 1),
        (62, 69, None, 1),
        (70, 70, None, 1),
        (70, 70, "because", 2),
        (70, 70, "another", 1),
        (71, 100, None, 1),
    ]
    assert [(row.refusal.reason, row.times) for row in refusals(played)] == [("because", 2), ("another", 1)]


def test_a_short_run_has_a_row_for_each_turn_and_a_refusal_before_the_first_stands_first():
    played = Played(Run("1", "a", "t", ()), (turn(1), turn(2)), (refusal(0), refusal(2)), 2, 2)
    assert [(row.first, row.refusal is not None) for row in rows(played)] == [(0, True), (1, False), (2, False), (2, True)]


def test_a_huge_run_stays_a_page(tmp_path):
    outcomes = ["down" if number % 2 else None for number in range(1_500)]
    page = replayed(tmp_path, [run("huge", *outcomes, tool="get_order")])
    assert "more rows. The whole run is in the recording." in page.text
    assert (tmp_path / "page.html").stat().st_size < 1_000_000
    targets = {attributes["href"].removeprefix("#") for attributes in page.of("a")}
    assert targets <= set(page.ids), "no link to a row that is left out"


def test_the_same_runs_give_the_same_bytes(tmp_path):
    runs = [run("a", "down", "down", "down", None), run("b", None)]
    first = replayed(tmp_path, runs) and (tmp_path / "page.html").read_bytes()
    assert (replayed(tmp_path, runs) and (tmp_path / "page.html").read_bytes()) == first
