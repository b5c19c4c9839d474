"""The console's pages, for the checks that go over all of them and for the screenshots. A new page is one more line.

Each has a name, for its figure, and either a path below the console or a function that leads a browser there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Shown:
    """A page. `path`: below the console. `reach`: leads a browser page there instead, given the console's address."""

    name: str
    path: str = ""
    reach: Callable[[Any, str], None] | None = None
    logged_in: bool = True

    def open(self, page: Any, console: str) -> None:
        """Go there."""
        if self.reach is None:
            page.goto(console + self.path)
        else:
            self.reach(page, console)


def _first_key(page: Any, console: str) -> None:
    page.goto(f"{console}/welcome")
    page.get_by_role("button", name="Create a key").click()


def _new_key(page: Any, console: str) -> None:
    page.goto(f"{console}/settings/keys")
    page.get_by_label("Name").fill("production")
    page.get_by_role("button", name="Create the key").click()


def _revoke(page: Any, console: str) -> None:
    page.goto(f"{console}/settings/keys")
    page.get_by_role("link", name="Revoke").first.click()


def _invite(page: Any, console: str) -> None:
    page.goto(f"{console}/settings/people")
    page.get_by_label("E-mail address").fill("ada@acme.example")
    page.get_by_role("button", name="Make an invitation").click()


def _new_webhook(page: Any, console: str) -> None:
    page.goto(f"{console}/settings/webhooks")
    page.get_by_label("Where to").fill("https://hooks.example.com/identity-os")
    page.get_by_role("button", name="Create the webhook").click()


def _agent(page: Any, console: str) -> None:
    page.goto(f"{console}/agents")
    page.get_by_role("link", name="support-bot", exact=True).click()
    page.locator("#timeline svg").first.wait_for(state="attached")


def _timeline(page: Any, console: str) -> None:
    _agent(page, console)
    page.goto(f"{page.url}/timeline?cycles=40")


def _report(page: Any, console: str) -> None:
    _agent(page, console)
    page.locator(".latest a").first.click()
    page.get_by_role("heading", name="Audit record").wait_for()


def _what_if(page: Any, console: str) -> None:
    page.goto(f"{_held(page, console)}/what-if")
    page.get_by_role("button", name="Add a row").click()
    page.get_by_label("mode").first.select_option("ORDER")
    page.get_by_label("strength").first.fill("0.6")
    page.get_by_label("times").first.fill("8")
    page.get_by_label("severity").last.select_option("incident")
    page.get_by_role("button", name="Show what would follow").last.click()


def _test(page: Any, console: str) -> None:
    page.goto(f"{console}/test")
    for number in range(1, 11):
        page.locator(f"input[name=q{number}]").first.check()
    page.get_by_role("button", name="See the result").click()


def _answer(page: Any) -> None:
    for number in range(1, 13):
        page.locator(f"input[name=q{number}]").nth(number % 3).check()
    page.get_by_role("button", name="See the result").click()


def _test_result(page: Any, console: str) -> None:
    page.goto(f"{console}/test")
    _answer(page)


def _retest(page: Any, console: str) -> None:
    page.goto(f"{_held(page, console)}/test")
    _answer(page)


def _held(page: Any, console: str) -> str:
    """The address of an agent that waits for a person; made at the first time."""
    page.goto(f"{console}/what-if")
    known = page.get_by_role("link", name="invoice-agent")
    if not known.count():
        _new_key(page, console)
        headers = {"Authorization": f"Bearer {page.locator('section.marked pre code').first.inner_text()}"}
        api = f"{console.removesuffix('/console')}/v1/instances"
        made = page.request.post(api, headers=headers, data={"name": "invoice-agent"})
        agent = made.json()["data"]["id"]
        reports = [
            {"mode_target": mode, "signal_strength": strength, "context": {"tool": tool}}
            for mode, strength, tool in (("PERCEPTION", 0.6, "read_invoice"), ("ORDER", 0.7, "book"), ("ASSERTION", 0.6, "pay"))
        ]
        failed = {"mode_target": "STRESS_RESPONSE", "signal_strength": 0.9, "context": {"tool": "pay", "error": "TimeoutError"}}
        for batch in (reports * 20, [failed] * 24, reports[:1], reports[1:2]):
            body = {"observations": batch} if len(batch) > 1 else batch[0]
            path = "process/batch" if len(batch) > 1 else "process"
            done = page.request.post(f"{api}/{agent}/{path}", headers=headers, data=body)
            assert done.status == 200, done.text()
        return f"{console}/agents/{agent}"
    return str(known.first.get_attribute("href")).removesuffix("/what-if")


def _of_agent(path: str) -> Callable[[Any, str], None]:
    """A page about that agent."""
    return lambda page, console: page.goto(f"{_held(page, console)}{path}")


PAGES = (
    Shown("landing", logged_in=False),
    Shown("welcome", "/welcome"),
    Shown("first-key", reach=_first_key),
    Shown("agents", "/agents"),
    Shown("new-agent", "/agents/new"),
    Shown("agent", reach=_agent),
    Shown("timeline", reach=_timeline),
    Shown("report", reach=_report),
    Shown("keys", reach=_new_key),
    Shown("revoke", reach=_revoke),
    Shown("decide", reach=_of_agent("/decide")),
    Shown("audit", reach=_of_agent("/audit/verify")),
    Shown("what-if", reach=_what_if),
    Shown("choose-agent", "/what-if"),
    Shown("personas", "/personas"),
    Shown("persona", "/personas/persona_analytical"),
    Shown("test", reach=_test),
    Shown("test-result", reach=_test_result),
    Shown("retest", reach=_retest),
    Shown("usage", "/settings/usage"),
    Shown("webhooks", "/settings/webhooks"),
    Shown("webhook", reach=_new_webhook),
    Shown("people", reach=_invite),
    Shown("accounts", "/accounts"),
    Shown("not-found", "/nothing"),
)
