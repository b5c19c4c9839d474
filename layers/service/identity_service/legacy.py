"""The wire of client 0.9, for those who installed it: this module translates at the edge, and nothing else knows of it.

A request of the published package `identity-os-sdk` 0.9 (its User-Agent tells, or `Identity-OS-Version: 0.9`) is put into the
API's form, served like any other, and its answer put into the form that the package reads: no envelope, `items`, lower-case
modes, `stress_level`, `cycle_number`, errors as 422. For instances, engine and personas. What 0.9 wants and the API lacks:
`updated_at` in a list is `created_at`; a process answer's `cycle_count` is the engine's cycle; a reset reads the snapshot after
itself, and so counts twice against the minute.
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
_DRIFTS: Final = {"D0": "D0_noise", "D1": "D1_context", "D2": "D2_adaptive", "D3": "D3_corrupt"}
_INSTANCE: Final = r"/v1/instances/(?P<id>[^/]+)"


class LegacyMiddleware:
    """Outermost of all middlewares: translates for client 0.9 and lets everybody else pass."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not _is_old(Headers(scope=scope)):
            await self.app(scope, receive, send)
            return
        route = next((route for route in _ROUTES if route.serves(scope)), None)
        if route is None:
            await self.app(scope, receive, send)
            return
        asked = _asked(scope, await _body(receive))
        start, answer = await self._call(*asked)
        if start["status"] == 200 and scope["path"].endswith("/reset"):
            start, answer = await self._call(
                {**scope, "method": "GET", "path": scope["path"].removesuffix("reset") + "snapshot"}, b""
            )
        status = start["status"]
        if status >= 400:
            status, body = _refusal(status, answer)
        else:
            found = route.path.fullmatch(scope["path"])
            body = route.translate(answer, found.groupdict().get("id", "") if found else "")
        data = json.dumps(body).encode()
        kept = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
        # The package's synchronous form runs each call on an event loop of its own, where no earlier connection works.
        headers = [*kept, (b"content-length", str(len(data)).encode()), (b"connection", b"close")]
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
    """A path of 0.9, and how its answer is read."""

    def __init__(self, method: str, path: str, translate: Callable[[Any, str], Any]) -> None:
        self.method, self.path, self.translate = method, re.compile(path), translate

    def serves(self, scope: Scope) -> bool:
        return bool(scope["method"] == self.method and self.path.fullmatch(scope["path"]))


def _is_old(headers: Headers) -> bool:
    return headers.get("identity-os-version") == "0.9" or bool(_AGENT.match(headers.get("user-agent", "")))


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _asked(scope: Scope, body: bytes) -> tuple[Scope, bytes]:
    """The request in the API's form."""
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    if scope["path"].endswith("/process/batch") and "include_intermediate" in query:
        wanted = query.pop("include_intermediate") == "true"
        with suppress(TypeError, ValueError):  # what is no object is refused as it came
            body = json.dumps(from_json(body) | {"include_intermediate": wanted}).encode()
    if scope["path"].endswith("/drift") and "type" in query:
        query["level"] = query.pop("type").partition("_")[0]
    headers = [(name, value) for name, value in scope["headers"] if name.lower() != b"content-length"]
    return {**scope, "query_string": urlencode(query).encode(), "headers": headers}, body


def _refusal(status: int, answer: Json) -> tuple[int, Json]:
    body = {"error": answer["message"], "code": answer["error"], "details": answer["details"]}
    return 422 if status == 400 else status, body


def _instance(row: Json) -> Json:
    shown = {name: row[name] for name in ("id", "name", "description", "created_at")}
    return shown | {"updated_at": row.get("updated_at", row["created_at"])}


def _page(answer: Json, row: Callable[[Json], Json]) -> Json:
    where = {name: answer["pagination"][name] for name in ("total", "limit", "offset")}
    return {"items": [row(each) for each in answer["data"]]} | where


def _mode(title: str) -> str:
    return title.lower().replace(" ", "_")


def _snapshot(snapshot: Json) -> Json:
    first, second = (snapshot["persona"][which] for which in ("primary", "secondary"))
    same = ("instance_id", "system_state", "energy_level", "stability_index")
    return {name: snapshot[name] for name in same} | {
        "schema_version": "1.0",
        "mode_strengths": {_mode(mode): strength for mode, strength in snapshot["mode_strengths"].items()},
        "stress_level": snapshot["stress_state"],
        "cycle_count": snapshot.get("cycle_count", snapshot["cycle"]),
        "persona_primary": first and first["id"],
        "persona_secondary": second and second["id"],
        "active_composites": snapshot["composites"],
        "timestamp": snapshot.get("updated_at", iso(now())),
    }


def _contract(contract: Json, instance_id: str) -> Json:
    same = ("allowed_actions", "forbidden_actions", "decision_style", "recovery_profile", "energy_level", "stability_index")
    return {name: contract[name] for name in (*same, "hard_locks")} | {
        "schema_version": "1.0",
        "instance_id": instance_id,
        "dominant_modes": [_mode(title) for title in contract["dominant_modes"]],
        "suppressed_modes": [_mode(title) for title in contract["suppressed_modes"]],
        "current_stress_level": contract["stress_state"],
        "current_system_state": contract["system_state"],
    }


def _processed(step: Json, instance_id: str) -> Json:
    drift = step["drift"]
    event = (
        {"level": _DRIFTS[drift["level"]], "magnitude": drift["magnitude"], "timestamp": iso(now())} if drift["level"] else None
    )
    return {"snapshot": _snapshot(step["snapshot"]), "contract": _contract(step["contract"], instance_id), "drift": event}


def _observed(row: Json) -> Json:
    same = {name: row[name] for name in ("signal_strength", "confidence", "timestamp")}
    return same | {"mode_target": _mode(row["mode_target"]), "cycle_number": row["cycle"]}


def _drifted(row: Json) -> Json:
    same = {name: row[name] for name in ("magnitude", "timestamp")}
    return same | {"level": _DRIFTS[row["drift_level"]], "cycle_number": row["cycle"]}


def _persona(persona: Json) -> Json:
    modes = [_mode(title) for title in persona["dominant_modes"]]
    told = {"deciding": "decision_style", "in short": "description", "under stress": "stress_recovery"}
    expressions = [{"context": context, "behavior": persona[field]} for context, field in told.items() if field in persona]
    return {"id": persona["id"], "name": persona["name"], "mode_a": modes[0], "mode_b": modes[-1], "expressions": expressions}


_ROUTES: Final = (
    _Route("POST", "/v1/instances", lambda answer, _: _instance(answer["data"])),
    _Route("GET", "/v1/instances", lambda answer, _: _page(answer, _instance)),
    _Route("GET", _INSTANCE, lambda answer, _: _instance(answer["data"])),
    _Route("PATCH", _INSTANCE, lambda answer, _: _instance(answer["data"])),
    _Route("DELETE", _INSTANCE, lambda answer, _: answer["data"]),
    _Route("POST", f"{_INSTANCE}/process", lambda answer, instance: _processed(answer["data"], instance)),
    _Route(
        "POST",
        f"{_INSTANCE}/process/batch",
        lambda answer, instance: [_processed(step, instance) for step in answer["data"].get("states", [answer["data"]])],
    ),
    _Route("GET", f"{_INSTANCE}/snapshot", lambda answer, _: _snapshot(answer["data"])),
    _Route("POST", f"{_INSTANCE}/reset", lambda answer, _: _snapshot(answer["data"])),
    _Route("GET", f"{_INSTANCE}/contract", lambda answer, instance: _contract(answer["data"], instance)),
    _Route("GET", f"{_INSTANCE}/history", lambda answer, instance: _page(answer, _observed) | {"instance_id": instance}),
    _Route("GET", f"{_INSTANCE}/drift", lambda answer, instance: _page(answer, _drifted) | {"instance_id": instance}),
    _Route(
        "GET",
        "/v1/personas",
        lambda answer, _: {"personas": [_persona(row) for row in answer["data"]], "total": answer["pagination"]["total"]},
    ),
    _Route("GET", "/v1/personas/[^/]+", lambda answer, _: _persona(answer["data"])),
)
