"""Addresses of pages: one function, from the configured base, never from the Host header of a request."""

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.routing import NoMatchFound

from functions.console.config import config

if TYPE_CHECKING:
    from fastapi import FastAPI

#: The path of the console in the app's routes; a stage's name comes before it in `Config.base`, not here.
PREFIX = "/console"
_app: "list[FastAPI]" = []
_names: set[str] = set()


def bind(app: "FastAPI", names: set[str]) -> None:
    """The app whose routes have the names, and the names; called once, when it is made."""
    _app[:] = [app]
    _names.update(names)


def url_for(name: str, /, query: dict[str, Any] | None = None, **parts: Any) -> str:
    """The address of the page with this route name, `parts` being the variables of its path."""
    path = str(_app[0].url_path_for(name, **parts)).removeprefix(PREFIX)
    asked = urlencode({key: value for key, value in (query or {}).items() if value not in (None, "")})
    return config().base + path + (f"?{asked}" if asked else "")


def link(name: str, /, **parts: Any) -> str:
    """The address of a page if it is there, else "". Parts that its path does not have are left out."""
    if not exists(name):
        return ""
    try:
        return url_for(name, **parts)
    except NoMatchFound:
        return url_for(name)


def static(name: str) -> str:
    """The address of a static file."""
    return f"{config().base}/static/{name}"


def exists(name: str) -> bool:
    """Whether a page with this route name is there."""
    return name in _names


def safe_next(target: str | None) -> str | None:
    """Where to go after a log-in, as a path below the console; None for everything that leads elsewhere."""
    if not target or not target.startswith("/") or target.startswith("//") or "\\" in target or not target.isprintable():
        return None
    return config().base + target
