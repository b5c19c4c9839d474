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


PAGES = (
    Shown("landing", logged_in=False),
    Shown("welcome", "/welcome"),
    Shown("first-key", reach=_first_key),
    Shown("keys", reach=_new_key),
    Shown("revoke", reach=_revoke),
    Shown("usage", "/settings/usage"),
    Shown("webhooks", "/settings/webhooks"),
    Shown("webhook", reach=_new_webhook),
    Shown("people", reach=_invite),
    Shown("accounts", "/accounts"),
    Shown("not-found", "/nothing"),
)
