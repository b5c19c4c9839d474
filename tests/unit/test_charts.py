"""Charts: sound SVG that a strict CSP allows, a title on each mark, words of strangers escaped, the same bytes each time."""

import re
from datetime import date, timedelta
from itertools import pairwise
from random import Random
from xml.etree import ElementTree

import pytest

from benchmarks import plots
from identity_charts import DARK, LIGHT, Axis, Day, Mark, Point, Scale, bars, drift_marks, radar, stylesheet, timeline
from identity_charts.values import KINDS, STATES
from identity_engine import DRIFT_LEVELS, STRESS_STATES, Observation, birth, contract, process_all

SVG = "{http://www.w3.org/2000/svg}"
SCALE = Scale(med=0.30, high=0.55, over=0.87, d1=0.08, d2=0.24, d3=0.40, actions=12)
HOSTILE = "</title><script>alert(1)</script>\" onload='x' & \x1b\x00 \ud800 ]]>"
#: Bytes that a timeline of 1,000 points with links has at the most: values without any rest, a denial at each; a chaotic agent.
WORST_BYTES, CHAOTIC_BYTES = 128_000, 56_000


def point(cycle, stress=0.0, state="LOW", **others):
    values = {"energy": 1.0, "drift": 0.02, "drift_level": "D0", "allowed": 12} | others
    return Point(cycle, stress, state, **values)


def unsteady(count, seed=0):
    """A walk without any rest: the worst that path simplification can get."""
    random = Random(seed)
    return [
        Point(n, random.random(), random.choice(STATES), random.random(), random.random(), "D1", random.randrange(13))
        for n in range(1, count + 1)
    ]


def drawn(text):
    """The parsed SVG, once nothing in it runs or styles itself."""
    root = ElementTree.fromstring(text)
    for element in root.iter():
        assert element.tag.removeprefix(SVG) not in {"script", "foreignObject", "image", "use", "style"}
        assert not [name for name in element.attrib if name == "style" or name.startswith("on")]
    return root


def of_class(root, name):
    return [element for element in root.iter() if name in element.get("class", "").split()]


def titles(elements):
    return [element.findtext(f"{SVG}title") for element in elements]


def draw(points, marks=(), width=960, **options):
    return timeline(points, marks, SCALE, width=width, **options)


ALL_KINDS = [Mark(10 * (n + 1), kind, f"about {kind}") for n, kind in enumerate(KINDS)]
CHARTS = {
    "timeline": draw([point(n) for n in range(1, 101)], ALL_KINDS),
    "compact": draw([point(n) for n in range(1, 101)], ALL_KINDS, width=320, compact=True),
    "linked": draw(unsteady(60), ALL_KINDS[:6], link=lambda cycle: f"#cycle-{cycle}"),
    "one point": draw([point(1, drift=None, drift_level=None)]),
    "none": draw([]),
    "radar": radar([Axis("Perception", 0.8), Axis("Stress Response", -0.2), Axis("Order", 1.4)]),
    "bars": bars([Day(date(2026, 5, 1), 3), Day(date(2026, 5, 4), 1_200)], width=600, pace=1_000),
    "no bars": bars([], width=320),
}


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_is_an_image_with_name_and_description(name):
    root = drawn(CHARTS[name])
    assert root.get("role") == ("group" if name == "linked" else "img"), "an image would hide its links"
    assert root[0].tag == f"{SVG}title"
    assert root[0].text == root.get("aria-label")
    assert root[1].tag == f"{SVG}desc"
    assert root[1].text
    assert root.get("viewBox").split()[2:] == [root.get("width"), root.get("height")]


def test_each_mark_has_a_title_a_shape_and_a_word_of_its_own():
    root = drawn(CHARTS["timeline"])
    marks = of_class(root, "ic-mark")
    assert titles(marks) == [f"{word}, report {10 * (n + 1)}: about {kind}" for n, (kind, word) in enumerate(KINDS.items())]
    assert len({mark.find(f".//{SVG}path").get("d") for mark in marks}) == len(KINDS)
    words = {element.text and element.text.strip() for element in root.iter(f"{SVG}text")}
    assert words >= set(KINDS.values())


def test_the_four_stress_states_differ_in_shape_and_word():
    root = drawn(CHARTS["timeline"])
    shapes = [element.get("d") for element in of_class(root, "ic-solid")]
    assert len(shapes) == len(set(shapes)) == 4
    named = {text.findtext(f"{SVG}title"): "".join(text.itertext()) for text in root.iter(f"{SVG}text")}
    assert [f"{state}: from {low}" for state, low in zip(STATES, ("0.00", "0.30", "0.55", "0.87"), strict=True)] == [
        title for title in reversed(named) if title and title.partition(":")[0] in STATES
    ][::-1]


def test_marks_that_would_touch_are_one_with_a_count_and_a_list():
    points = [point(n) for n in range(1, 501)]
    marks = [Mark(n, "denial", f"pay {n}") for n in range(100, 112)]
    [mark] = of_class(drawn(draw(points, marks)), "ic-mark")
    assert mark.findtext(f"{SVG}text") == "12"
    lines = titles([mark])[0].split("\n")
    assert lines[0] == "denied 12 times, reports 100 to 111"
    assert lines[1:] == [f"{n}: pay {n}" for n in range(100, 108)] + ["and 4 more"]


@pytest.mark.parametrize("width", [320, 960])
@pytest.mark.parametrize("step", [1, 3, 17])
def test_no_shape_of_a_row_stands_on_another(width, step):
    points = [point(n) for n in range(1, 1001)]
    marks = [Mark(n, "denial") for n in range(1, 1001, step)]
    spots = []
    for mark in of_class(drawn(draw(points, marks, width=width, compact=width < 400)), "ic-mark"):
        area = mark.find(f"{SVG}rect")
        spots.append((float(area.get("x")), float(area.get("width")), mark.findtext(f"{SVG}text") or "1"))
    assert sum(int(count) for _, _, count in spots) == len(marks)
    for (x, _, count), (following, _, _) in pairwise(spots):
        assert following - x >= (14 if count == "1" else 29.9), "room for a shape, or for a shape and its number"


def test_words_of_strangers_are_escaped():
    text = draw([point(1), point(2)], [Mark(1, "denial", HOSTILE)], title=HOSTILE, link=lambda _: f"#{HOSTILE}", unit="turn")
    root = drawn(text)
    assert "<script" not in text
    [link] = [link for link in of_class(root, "ic-link") if link.get("aria-label").startswith("denied")]
    assert link.get("aria-label") == "denied, turn 1: </title><script>alert(1)</script>\" onload='x' & \ufffd\ufffd \ufffd ]]>"
    for chart in (radar([Axis(HOSTILE, 0.5)] * 3, title=HOSTILE), bars([], width=300, title=HOSTILE, unit=HOSTILE)):
        assert drawn(chart).get("aria-label").startswith("</title><script>")


def address(cycle):
    return f"/console/agents/inst_9f190826e20c49ea/cycles/{cycle}"


def test_a_thousand_points_are_few_bytes_and_the_same_each_time():
    points = unsteady(1000)
    marks = [Mark(n, "denial", "wire_money " * 30) for n in range(1, 1001)]
    text = draw(points, marks, link=address)
    assert text == draw(points, marks, link=address)
    assert len(text.encode()) < WORST_BYTES


def test_a_thousand_reports_of_a_chaotic_agent_are_fewer():
    random = Random(0)
    reports = [Observation(random.randrange(7), random.uniform(0.1, 1), random.uniform(0.3, 1)) for _ in range(1000)]
    points = [
        Point(
            state.cycle,
            abs(state.strengths[6]),
            STRESS_STATES[state.stress],
            state.energy,
            drift.magnitude,
            None if drift.level is None else DRIFT_LEVELS[drift.level],
            len(contract(state).allowed_actions),
        )
        for state, drift in process_all(birth(), reports)
    ]
    marks = drift_marks(points)
    assert len(marks) > 10
    assert len(draw(points, marks, link=address).encode()) < CHAOTIC_BYTES


def test_a_simplified_line_keeps_every_spike():
    points = [point(n, 0.95 if n == 500 else 0.1) for n in range(1, 1001)]
    [line] = of_class(drawn(draw(points)), "ic-stress")
    assert len(line.get("points").split()) == 5, "both ends, and the spike with what is beside it"


def test_a_hole_breaks_lines_and_is_named():
    points = [point(n, energy=0.5) for n in (*range(1, 50), *range(80, 100))]
    root = drawn(draw(points))
    assert titles(of_class(root, "ic-hole")) == ["no reports from 50 to 79"]
    assert len(of_class(root, "ic-energy")) == 2
    thinned = drawn(draw([point(n) for n in range(0, 1000, 10)]))
    assert not of_class(thinned, "ic-hole"), "every tenth cycle is no hole"


def test_drift_begins_with_its_anchor_and_a_far_one_keeps_its_names_apart():
    young = [point(n, drift=None, drift_level=None) for n in range(1, 20)]
    root = drawn(draw([*young, point(20, drift=4.0, drift_level="D2"), point(21, drift=4.0, drift_level="D2")]))
    [line] = of_class(root, "ic-drift")
    assert len(line.get("points").split()) == 2
    names = [text for text in root.iter(f"{SVG}text") if re.match(r"D\d: from", text.findtext(f"{SVG}title") or "")]
    heights = [float(text.get("y")) for text in names]
    assert all(upper - lower >= 11.9 for upper, lower in pairwise(heights))


def test_a_column_links_to_its_cycle_and_says_it_in_words():
    points = [point(1), point(2, 0.6, "HIGH", energy=0.31, drift=0.3, drift_level="D2", allowed=8)]
    links = of_class(drawn(draw(points, link=lambda cycle: f"/r/{cycle}")), "ic-link")
    assert [link.get("href") for link in links] == ["/r/1", "/r/2"]
    assert links[1].get("aria-label") == "report 2: stress 0.60 HIGH, energy 0.31, drift 0.30 D2, 8 of 12 actions"


def test_a_column_of_many_cycles_leads_to_the_one_with_the_most_stress():
    points = [point(n, 0.7 if n == 403 else 0.1, "HIGH" if n == 403 else "LOW") for n in range(1, 1001)]
    root = drawn(draw(points, link=lambda cycle: f"/r/{cycle}"))
    links = of_class(root, "ic-link")
    assert len(links) < 80, "as many stops of the keyboard"
    assert [link.get("aria-label") for link in links if link.get("href") == "/r/403"] == [
        "reports 391 to 405, most stress at report 403: stress 0.70 HIGH, energy 1.00, drift 0.02 D0, 12 of 12 actions"
    ]
    zoomed = drawn(draw(points, link=lambda cycle: f"/r/{cycle}", zoom=(400, 410)))
    assert [link.get("href") for link in of_class(zoomed, "ic-link")] == [f"/r/{n}" for n in range(400, 411)]


def test_a_zoom_on_nothing_says_so():
    assert "No reports from 5 to 9." in draw([point(1)], zoom=(5, 9))


@pytest.mark.parametrize(
    ("points", "marks", "message"),
    [
        ([point(2), point(2)], [], "cycle 2 comes after 2: cycles must rise"),
        ([point(1, float("nan"))], [], "cycle 1: stress, energy and drift must be numbers"),
        ([point(1, drift=float("inf"))], [], "cycle 1: stress, energy and drift must be numbers"),
        ([point(1, state="CALM")], [], "stress_state is one of LOW, MED, HIGH, OVER, not 'CALM'"),
        ([point(1)], [Mark(1, "joy")], "kind is one of incident, denial"),
    ],
)
def test_what_could_only_be_drawn_wrongly_is_refused(points, marks, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        draw(points, marks)


def test_a_radar_and_bars_say_what_they_cannot_draw():
    with pytest.raises(ValueError, match="three axes or more, not 2"):
        radar([Axis("a", 1.0)] * 2)
    with pytest.raises(ValueError, match="days must rise"):
        bars([Day(date(2026, 5, 1), 1)] * 2, width=300)
    with pytest.raises(ValueError, match="0 or more, not -1"):
        bars([Day(date(2026, 5, 1), -1)], width=300)


def test_a_radar_shows_each_axis_and_its_figure():
    root = drawn(CHARTS["radar"])
    assert titles(of_class(root, "ic-vertex")) == ["Perception: 0.80", "Stress Response: -0.20", "Order: 1.40"]
    profile = of_class(root, "ic-profile")[0].get("d")
    assert "L200 " in profile, "below 0 is drawn at the middle"


def test_bars_leave_missing_days_empty():
    root = drawn(CHARTS["bars"])
    shown = of_class(root, "ic-bar")
    assert titles(shown) == ["1 May: 3 cycles", "4 May: 1,200 cycles"]
    assert float(shown[1].get("x")) - float(shown[0].get("x")) == pytest.approx(3 * 48)
    year = drawn(bars([Day(date(2026, 1, 1) + timedelta(n), n) for n in range(365)], width=320, compact=True))
    assert len(list(year.iter(f"{SVG}text"))) < 10


def test_a_mark_wherever_drift_enters_d2_or_d3():
    levels = (None, "D0", "D2", "D2", "D3", "D1", "D2")
    points = [point(n, drift=0.3, drift_level=level) for n, level in enumerate(levels)]
    assert [(mark.cycle, mark.kind, mark.text) for mark in drift_marks(points)] == [
        (2, "d2", "distance 0.30"),
        (4, "d3", "distance 0.30"),
        (6, "d2", "distance 0.30"),
    ]


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first, second):
    darker, lighter = sorted((luminance(first), luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])
def test_contrast_is_that_of_wcag_aa(tokens):
    for text in ("ink", "muted", "accent", "low", "med", "high", "over"):
        for ground in ("page", "card"):
            assert contrast(tokens[text], tokens[ground]) >= 4.5, (text, ground)
    for state in ("low", "med", "high", "over"):
        assert contrast(tokens[state], tokens[f"{state}-wash"]) >= 4.5, state
        assert contrast(tokens["ink"], tokens[f"{state}-wash"]) >= 7, "the line of stress goes through all four"


def test_the_stylesheet_has_both_schemes_and_a_rule_for_each_class():
    sheet = stylesheet()
    assert LIGHT.keys() == DARK.keys()
    used = {name for chart in CHARTS.values() for element in drawn(chart).iter() for name in element.get("class", "").split()}
    used -= {"ic-timeline", "ic-radar", "ic-bars"}
    assert {name for name in used if not re.search(rf"\.{name}\b(?!-)", sheet)} == set()
    assert set(re.findall(r"var\(--([\w-]+)\)", sheet)) <= LIGHT.keys() | {"state", "wash", "mark"}
    assert "url(" not in sheet
    assert "@import" not in sheet


def test_an_image_that_stands_alone_has_the_stylesheet_a_ground_and_its_title():
    root = ElementTree.fromstring(draw([point(1)], standalone=True, title="Spike <1>"))
    assert root.find(f"{SVG}style").text == stylesheet()
    [ground], [title] = of_class(root, "ic-ground"), of_class(root, "ic-title")
    assert [ground.get(name) for name in ("x", "y", "width", "height")] == root.get("viewBox").split()
    assert title.text == "Spike <1>"


@pytest.mark.parametrize("name", plots.FIGURES)
def test_the_figures_of_the_docs_are_what_the_code_draws(name):
    assert (plots.FOLDER / f"{name}.svg").read_text(encoding="utf-8") == plots.figure(name), "run make plots"


def test_the_docs_hold_no_other_figure():
    assert {path.stem for path in plots.FOLDER.iterdir()} == set(plots.FIGURES)
