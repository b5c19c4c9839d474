"""The headers of Streamable HTTP that repeat a request, so that what stands between can route it without reading it.

Source: https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http, "Request Metadata".
"""

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx

from . import messages as m

_NAMED: Final = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PLAIN: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")

#: Arguments that are repeated: the header's name, and the path to the argument.
ParamHeaders = Sequence[tuple[str, tuple[str, ...]]]


def legacy(session: str | None, version: str | None) -> dict[str, str]:
    """The headers of a session (2025-11-25 and earlier)."""
    named = {"Mcp-Session-Id": session, "MCP-Protocol-Version": version}
    return {name: value for name, value in named.items() if value}


def modern(message: Mapping[str, Any], repeated: ParamHeaders) -> dict[str, str]:
    """The headers of a request that carries its version (2026-07-28)."""
    method, given = str(message.get("method")), m.params(message)
    found = {"MCP-Protocol-Version": str(m.meta(message)[m.VERSION]), "Mcp-Method": method}
    name = given.get("taskId") if method.startswith("tasks/") else given.get(_NAMED.get(method, ""))
    if isinstance(name, str):
        found["Mcp-Name"] = encoded(name)
    if method == "tools/call":
        for header, path in repeated:
            value = _at(given.get("arguments"), path)
            if isinstance(value, str | bool | int):
                found[f"Mcp-Param-{header}"] = encoded(_text(value))
    return found


def param_headers(schema: Any) -> ParamHeaders:
    """The arguments that a tool's schema marks with x-mcp-header, through `properties` alone; wrong marks are left out."""
    return tuple(_marked(schema, ()))


def encoded(value: str) -> str:
    """A value as a header may hold it: base64 where it is not plain ASCII."""
    if _PLAIN.fullmatch(value) and not (value.startswith("=?base64?") and value.endswith("?=")):
        return value
    return f"=?base64?{base64.b64encode(value.encode(errors='replace')).decode()}?="


def origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """Scheme, host and port."""
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)


def _marked(schema: Any, path: tuple[str, ...]) -> list[tuple[str, tuple[str, ...]]]:
    properties = schema.get("properties") if isinstance(schema, dict) else None
    found: list[tuple[str, tuple[str, ...]]] = []
    for name, inner in properties.items() if isinstance(properties, dict) else ():
        if not isinstance(inner, dict):
            continue
        header = inner.get("x-mcp-header")
        if isinstance(header, str) and _TOKEN.fullmatch(header) and inner.get("type") in ("string", "integer", "boolean"):
            found.append((header, (*path, name)))
        found += _marked(inner, (*path, name))
    return found


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _text(value: str | bool | int) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
