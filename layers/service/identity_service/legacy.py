"""Compatibility with client 0.9: a middleware that translates its requests and responses. No other module knows about 0.9.

Requests of the published package `identity-os-sdk` 0.9 are recognised by their User-Agent, or by `Identity-OS-Version: 0.9`.
The middleware translates the request, calls the app, and translates the response into the form of 0.9: no envelope, `items`,
lower-case modes, `stress_level`, `cycle_number`, errors as 422. It covers instances, engine and personas. Where the API lacks a
field of 0.9: `updated_at` in a list is `created_at`; `cycle_count` in a process response is the engine's cycle; a reset also
reads the snapshot, and so counts twice against the minute.
"""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from pydantic_core import from_json
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from identity_service.clock import iso, now

Json = dict[str, Any]

_AGENT: Final = re.compile(r"identity-os-python-sdk/0\.9(\.|$)")
_DRIFT_LEVELS: Final = {"D0": "D0_noise", "D1": "D1_context", "D2": "D2_adaptive", "D3": "D3_corrupt"}
_INSTANCE: Final = r"/v1/instances/(?P<id>[^/]+)"


class LegacyMiddleware:
    """The outermost middleware: translates for client 0.9 and passes all other requests through."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not _is_legacy(Headers(scope=scope)):
            await self.app(scope, receive, send)
            return
        route = next((route for route in _ROUTES if route.matches(scope)), None)
        if route is None:
            await self.app(scope, receive, send)
            return
        translated_scope, request_body = _translate_request(scope, await _body(receive))
        start, response = await self._call(translated_scope, request_body)
        if start["status"] == 200 and scope["path"].endswith("/reset"):
            start, response = await self._call(
                {**scope, "method": "GET", "path": scope["path"].removesuffix("reset") + "snapshot"}, b""
            )
        status = start["status"]
        if status >= 400:
            status, body = _error(status, response)
        else:
            match = route.path.fullmatch(scope["path"])
            body = route.translate(response, match.groupdict().get("id", "") if match else "")
        data = json.dumps(body).encode()
        headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
        # The package's synchronous client runs each call on a new event loop, where a kept-alive connection does not work.
        headers += [(b"content-length", str(len(data)).encode()), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": data})

    async def _call(self, scope: Scope, body: bytes) -> tuple[Message, Any]:
        messages: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            messages.append(message)

        await self.app(scope, receive, send)
        start, *parts = messages
        return start, json.loads(b"".join(part.get("body", b"") for part in parts))


class _Route:
    """A route of 0.9 and the translation of its response."""

    def __init__(self, method: str, path: str, translate: Callable[[Any, str], Any]) -> None:
        self.method, self.path, self.translate = method, re.compile(path), translate

    def matches(self, scope: Scope) -> bool:
        return bool(scope["method"] == self.method and self.path.fullmatch(scope["path"]))


def _is_legacy(headers: Headers) -> bool:
    return headers.get("identity-os-version") == "0.9" or bool(_AGENT.match(headers.get("user-agent", "")))


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _translate_request(scope: Scope, body: bytes) -> tuple[Scope, bytes]:
    """The request in the current API's form."""
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    if scope["path"].endswith("/process/batch") and "include_intermediate" in query:
        include = query.pop("include_intermediate") == "true"
        with suppress(TypeError, ValueError):  # a body that is not an object stays as it is, and the app rejects it
            body = json.dumps(from_json(body) | {"include_intermediate": include}).encode()
    if scope["path"].endswith("/drift") and "type" in query:
        query["level"] = query.pop("type").partition("_")[0]
    headers = [(name, value) for name, value in scope["headers"] if name.lower() != b"content-length"]
    return {**scope, "query_string": urlencode(query).encode(), "headers": headers}, body


def _error(status: int, response: Json) -> tuple[int, Json]:
    body = {"error": response["message"], "code": response["error"], "details": response["details"]}
    return 422 if status == 400 else status, body


def _instance(row: Json) -> Json:
    fields = {name: row[name] for name in ("id", "name", "description", "created_at")}
    return fields | {"updated_at": row.get("updated_at", row["created_at"])}


def _page(response: Json, translate: Callable[[Json], Json]) -> Json:
    pagination = {name: response["pagination"][name] for name in ("total", "limit", "offset")}
    return {"items": [translate(row) for row in response["data"]]} | pagination


def _mode(title: str) -> str:
    return title.lower().replace(" ", "_")


def _snapshot(snapshot: Json) -> Json:
    primary, secondary = (snapshot["persona"][rank] for rank in ("primary", "secondary"))
    unchanged = ("instance_id", "system_state", "energy_level", "stability_index")
    return {name: snapshot[name] for name in unchanged} | {
        "schema_version": "1.0",
        "mode_strengths": {_mode(mode): strength for mode, strength in snapshot["mode_strengths"].items()},
        "stress_level": snapshot["stress_state"],
        "cycle_count": snapshot.get("cycle_count", snapshot["cycle"]),
        "persona_primary": primary and primary["id"],
        "persona_secondary": secondary and secondary["id"],
        "active_composites": snapshot["composites"],
        "timestamp": snapshot.get("updated_at", iso(now())),
    }


def _contract(contract: Json, instance_id: str) -> Json:
    unchanged = ("allowed_actions", "forbidden_actions", "decision_style", "recovery_profile", "energy_level")
    return {name: contract[name] for name in (*unchanged, "stability_index", "hard_locks")} | {
        "schema_version": "1.0",
        "instance_id": instance_id,
        "dominant_modes": [_mode(title) for title in contract["dominant_modes"]],
        "suppressed_modes": [_mode(title) for title in contract["suppressed_modes"]],
        "current_stress_level": contract["stress_state"],
        "current_system_state": contract["system_state"],
    }


def _process_result(step: Json, instance_id: str) -> Json:
    drift = step["drift"]
    event = (
        {"level": _DRIFT_LEVELS[drift["level"]], "magnitude": drift["magnitude"], "timestamp": iso(now())}
        if drift["level"]
        else None
    )
    return {"snapshot": _snapshot(step["snapshot"]), "contract": _contract(step["contract"], instance_id), "drift": event}


def _steps(data: Json) -> list[Json]:
    """The steps of a batch: every state, or the final one only."""
    steps: list[Json] = data.get("states", [data])
    return steps


def _history_row(row: Json) -> Json:
    unchanged = {name: row[name] for name in ("signal_strength", "confidence", "timestamp")}
    return unchanged | {"mode_target": _mode(row["mode_target"]), "cycle_number": row["cycle"]}


def _drift_row(row: Json) -> Json:
    unchanged = {name: row[name] for name in ("magnitude", "timestamp")}
    return unchanged | {"level": _DRIFT_LEVELS[row["drift_level"]], "cycle_number": row["cycle"]}


def _persona(persona: Json) -> Json:
    modes = [_mode(title) for title in persona["dominant_modes"]]
    fields = {"deciding": "decision_style", "in short": "description", "under stress": "stress_recovery"}
    expressions = [{"context": context, "behavior": persona[field]} for context, field in fields.items() if field in persona]
    return {"id": persona["id"], "name": persona["name"], "mode_a": modes[0], "mode_b": modes[-1], "expressions": expressions}


_ROUTES: Final = (
    _Route("POST", "/v1/instances", lambda response, _: _instance(response["data"])),
    _Route("GET", "/v1/instances", lambda response, _: _page(response, _instance)),
    _Route("GET", _INSTANCE, lambda response, _: _instance(response["data"])),
    _Route("PATCH", _INSTANCE, lambda response, _: _instance(response["data"])),
    _Route("DELETE", _INSTANCE, lambda response, _: response["data"]),
    _Route("POST", f"{_INSTANCE}/process", lambda response, instance: _process_result(response["data"], instance)),
    _Route(
        "POST",
        f"{_INSTANCE}/process/batch",
        lambda response, instance: [_process_result(step, instance) for step in _steps(response["data"])],
    ),
    _Route("GET", f"{_INSTANCE}/snapshot", lambda response, _: _snapshot(response["data"])),
    _Route("POST", f"{_INSTANCE}/reset", lambda response, _: _snapshot(response["data"])),
    _Route("GET", f"{_INSTANCE}/contract", lambda response, instance: _contract(response["data"], instance)),
    _Route("GET", f"{_INSTANCE}/history", lambda response, instance: _page(response, _history_row) | {"instance_id": instance}),
    _Route("GET", f"{_INSTANCE}/drift", lambda response, instance: _page(response, _drift_row) | {"instance_id": instance}),
    _Route(
        "GET",
        "/v1/personas",
        lambda response, _: {"personas": [_persona(row) for row in response["data"]], "total": response["pagination"]["total"]},
    ),
    _Route("GET", "/v1/personas/[^/]+", lambda response, _: _persona(response["data"])),
)
