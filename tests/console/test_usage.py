"""Settings: usage. The chart of the month's days, and the figures beside it."""

import re


def bars(page):
    chart = page.text.partition('class="wide-chart">')[2].partition("</svg>")[0]
    return re.findall(r"<title>(\d+ \w+: [\d,]+ cycles?)</title>", chart)


def test_a_bar_for_each_day_of_the_month(owner, stopped_clock):
    agent = owner.agent("Aria", ("ORDER", 0.6, 3))
    stopped_clock.time += 2 * 86400
    owner.report(agent, "ORDER", 0.6, 1)
    page = owner.get("/settings/usage")
    assert bars(page)[-4:] == ["23 Mar: 0 cycles", "24 Mar: 3 cycles", "25 Mar: 0 cycles", "26 Mar: 1 cycle"]
    assert len(bars(page)) == 26
    stopped_clock.time += 7 * 86400
    owner.report(agent, "ORDER", 0.6, 2)
    assert bars(owner.get("/settings/usage")) == ["1 Apr: 0 cycles", "2 Apr: 2 cycles"]


def test_a_month_without_cycles_has_no_chart(owner):
    page = owner.get("/settings/usage")
    assert page.status_code == 200
    assert "Cycles a day" not in page.text


def test_the_plans_pace_is_drawn_where_the_bars_come_near_it(owner, stopped_clock):
    agent = owner.agent("Aria", ("ORDER", 0.6, 50))
    assert "ic-pace" not in owner.get("/settings/usage").text
    owner.report(agent, "ORDER", 0.6, 50)
    assert "ic-pace" in owner.get("/settings/usage").text
