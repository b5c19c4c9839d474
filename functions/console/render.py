"""Makes pages from templates. Everything is escaped; the only markup that is not a template's is what `charts` draws."""

import json
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from functions.console import urls
from functions.console.config import config
from functions.console.visitor import Visitor
from identity_service.clock import now

HERE: Final = Path(__file__).resolve().parent
#: The navigation, in order: words, route name, names of pages that belong to it. A page that is not there is left out.
NAVIGATION: Final = (
    ("Agents", "agents"),
    ("What if", "what_if"),
    ("Personas", "personas"),
    ("Settings", "keys"),
)
#: The pages about one agent, as tabs: words, route name.
AGENT_TABS: Final = (
    ("Agent", "agent"),
    ("Decide", "decide"),
    ("What if", "what_if"),
    ("Audit", "audit"),
    ("Test", "test"),
)
SETTINGS: Final = (("API keys", "keys"), ("Usage and plan", "usage"), ("Webhooks", "webhooks"), ("People", "people"))


@cache
def environment() -> Environment:
    """Jinja2, with what every template may use."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    made.globals |= {"url_for": urls.url_for, "link": urls.link, "static": urls.static}
    made.globals["has_htmx"] = (HERE / "static" / "htmx.min.js").exists
    made.filters |= {"ago": ago, "day": day, "utc": utc, "pretty": pretty, "mode": mode}
    made.globals["m"] = made.get_template("macros.html").module
    made.globals["has_page"] = urls.exists
    return made


def page(
    request: Request,
    template: str,
    visitor: Visitor | None = None,
    status: int = 200,
    *,
    here: str = "",
    headers: dict[str, str] | None = None,
    **values: Any,
) -> Response:
    """A page. `here`: the route name of the entry of the navigation that it belongs to."""
    context = {
        "visitor": visitor,
        "here": here,
        "navigation": [entry for entry in NAVIGATION if urls.exists(entry[1])],
        "agent_tabs": [entry for entry in AGENT_TABS if urls.exists(entry[1])],
        "settings": [entry for entry in SETTINGS if urls.exists(entry[1])],
        "request_id": request.state.request_id,
        "status": status,
        "api": config().api,
    }
    return HTMLResponse(environment().get_template(template).render(context | values), status, headers)


def see(name: str, /, query: dict[str, Any] | None = None, **parts: Any) -> Response:
    """After a change: the browser gets another page with GET, so that a reload repeats nothing."""
    return RedirectResponse(urls.url_for(name, query, **parts), 303)


def see_agent(instance_id: str) -> Response:
    """After an agent was created: its page."""
    return see("agent" if urls.exists("agent") else "what_if", instance_id=instance_id)


def _moment(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp)


def ago(stamp: str) -> str:
    """How long ago, in words: now, 4 s ago, 2 min ago, 3 h ago, 5 d ago; older ones as a date."""
    moment = _moment(stamp)
    seconds = max(int(now() - moment.timestamp()), 0)
    if seconds < 2:
        return "now"
    for limit, size, unit in ((60, 1, "s"), (3600, 60, "min"), (86400, 3600, "h"), (14 * 86400, 86400, "d")):
        if seconds < limit:
            return f"{seconds // size} {unit} ago"
    return day(stamp)


def day(stamp: str) -> str:
    """The date, such as 3 May 2026."""
    moment = _moment(stamp)
    return f"{moment.day} {moment:%b %Y}"


def mode(constant: str) -> str:
    """A mode's name in a sentence: stress response."""
    return constant.replace("_", " ").lower()


def pretty(value: Any) -> str:
    """A value as JSON to read."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def utc(stamp: str) -> str:
    """The time in UTC, such as 3 May 2026, 14:05:09 UTC."""
    return f"{day(stamp)}, {_moment(stamp):%H:%M:%S} UTC"
