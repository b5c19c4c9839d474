"""What holds on each page: axe-core finds nothing serious, it fits 380 px, its first load is small; the keyboard suffices."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import sign_up
from tests.browser.pages import PAGES
from tests.browser.scenario import play

#: Bytes of the first load of a page, everything on it included; and of what htmx loads late, when the page is there.
BUDGET, LATE = 100_000, 40_000


@pytest.fixture(scope="module")
def contexts(browser, server):
    """A browser that is logged in, for each scheme."""
    made = {}
    for scheme in ("light", "dark"):
        made[scheme] = browser.new_context(color_scheme=scheme)
        page = made[scheme].new_page()
        sign_up(page, server, f"{scheme}@axe.example")
        page.get_by_role("button", name="Create a key").click()
        play(server.api, page.locator("pre code").first.inner_text())
    yield made
    for context in made.values():
        context.close()


@pytest.fixture(params=PAGES, ids=lambda shown: shown.name)
def shown(request):
    return request.param


def page_in(browser, contexts, scheme, shown):
    return contexts[scheme].new_page() if shown.logged_in else browser.new_context(color_scheme=scheme).new_page()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser, contexts, server, shown, scheme):
    page = page_in(browser, contexts, scheme, shown)
    shown.open(page, server.console)
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true; })")
    found = Axe().run(page).response["violations"]
    page.close()
    assert [
        (rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found if rule["impact"] in ("serious", "critical")
    ] == []


def test_it_fits_a_small_screen(browser, contexts, server, shown):
    page = page_in(browser, contexts, "light", shown)
    page.set_viewport_size({"width": 380, "height": 700})
    shown.open(page, server.console)
    assert page.evaluate("document.documentElement.scrollWidth") <= 380
    page.close()


@pytest.mark.parametrize("name", ["agent", "timeline", "usage"])
def test_a_small_screen_has_the_compact_charts_alone(browser, contexts, server, name):
    shown = next(shown for shown in PAGES if shown.name == name)
    page = page_in(browser, contexts, "light", shown)
    shown.open(page, server.console)
    for width, visible in ((1080, "wide"), (380, "compact")):
        page.set_viewport_size({"width": width, "height": 700})
        for chart in ("wide", "compact"):
            assert page.locator(f".{chart}-chart svg").is_visible() == (chart == visible), (width, chart)
    page.close()


def test_the_first_load_is_small(browser, contexts, server, shown):
    page, first, late = page_in(browser, contexts, "light", shown), [], []
    shown.open(page, server.console)
    # What opening it began must not be counted.
    page.wait_for_load_state("networkidle")
    # With a route the browser uses no cache, so that this load is as a first one.
    page.route("**/*", lambda route: route.continue_())

    def count(request):
        (late if "hx-request" in request.headers else first).append(request.sizes()["responseBodySize"])

    page.on("requestfinished", count)
    page.goto(page.url)
    page.wait_for_load_state("networkidle")
    page.close()
    assert len(first) >= 3
    assert sum(first) <= BUDGET, first
    assert sum(late) <= LATE, late


def test_the_keyboard_gets_from_the_address_to_a_key(browser, server):
    context = browser.new_context()
    page = context.new_page()
    sign_up(page, server, "keys@axe.example")
    page.get_by_role("button", name="Create a key").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Create a key"
    page.keyboard.press("Enter")
    page.get_by_text("It is shown once").wait_for()
    context.close()
