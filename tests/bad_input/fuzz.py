"""A fuzzer of bodies, headers and paths: every response has the API's format, none is a 5xx, no partial writes."""

import asyncio
import json
import random
from collections import Counter

import httpx

OBSERVATION = {"mode_target": "ORDER", "signal_strength": 0.5, "confidence": 1.0, "context": {"tool": "grep"}}
BODIES = {
    "": {"name": "Aria", "initial_config": {"mode_strengths": {"ORDER": 0.2}, "profile": {"core_modes": ["ORDER"]}}},
    "/process": OBSERVATION,
    "/process/batch": {"observations": [OBSERVATION] * 3, "include_intermediate": True},
    "/simulate": {"observations": [OBSERVATION]},
    "/goals/assess": {"complexity": "low", "required_modes": ["ORDER"]},
    "/reset": {"mode": "initial"},
}
#: JSON texts to replace a value: invalid JSON, and valid but unacceptable values.
VALUES = (
    "NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e-999", "-0.0", "1" + "0" * 400, "1" * 5000, "-" + "9" * 30,
    "0.1000000000000000055511151231257827021181583404541015625", "01", "1.", ".5", "+1", "0x10", "null", "true", "[]", "{}",
    '""', '"\\ud800"', '"\\udc00\\ud800"', '"\\u0000"', '"\x00"', '"\ud800"', '"' + "é" * 3000 + '"', '"' + "x" * 20_000 + '"',
    "[" * 200 + "]" * 200, "[" * 100_000, "[" * 100_000 + "]" * 100_000, '{"a":' * 5000 + "1" + "}" * 5000, "undefined",
    "'x'", "/* */ 1", "[1,]", '{"a":1,}', '{"a":1,"a":2}', '{"__proto__":{}}', '{"":""}', '"2026-13-45T99:99:99Z"',
    '"+999999-01-01T00:00:00Z"', '"9999-12-31T23:59:59-23:59"', '"0001-01-01T00:00:00+14:00"', '"${jndi:ldap://x}"',
    '"\'; DROP TABLE x; --"', '"ACCOUNT#x#INST#y"', "[[[[]]]]", "[null]", "2", "-1", "1.0000000000000002", "5e-324",
)  # fmt: skip
KEYS = (*[None] * 12, "k", "", " ", "x" * 255, "x" * 256, "\t", "é", "a,b", '"q"')
TYPES = ("application/json", "application/json; charset=utf-8", "application/problem+json", "text/plain", "", "x", "a/b;c=d")
PATHS = (
    "/v1", "/v1/", "//v1/instances", "/v1//instances", "/v1/instances/", "/v1/instances//snapshot", "/v1/instances/../personas",
    "/v1/instances/%2e%2e/personas", "/v1/instances/a/b/c", "/v1/instances/%00", "/v1/instances/\x00", "/v1/instances/\n",
    "/v1/instances/é", "/v1/instances/%C3%28", "/v1/instances/" + "x" * 5000, "/v1/instances/inst_0000000000000000%23HEAD",
    "/v1/instances/a#b", "/v1/instances/*", "/v1/instances/{instance_id}", "/V1/instances", "/v1/Instances", "/v1/health/",
    "/v1/personas/../../etc/passwd", "/v1/personas/%2fetc%2fpasswd", "/v1/personas/\u202e", "/", "", "/docs", "/openapi.json",
    "/v1/instances/inst_0000000000000000/process/batch/extra", "/v1/test", "/v1/test/", "*", "/v1/instances;a=b", "/.env",
)  # fmt: skip
QUERIES = (
    "", "limit=0", "limit=-1", "limit=1e3", "limit=٣", "limit=1&limit=2", "limit=99999999999999999999", "offset=1" + "0" * 400,
    "offset=-1", "sort=x", "order=desc'", "level=D9", "level=", "explain=maybe", "unknown=1", "limit", "=", "&&&", "limit=%",
    "limit=%FF", "version=v9", "limit=10&offset=1000000000000", "explain=true", "a" * 5000,
)  # fmt: skip
METHODS = ("GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get")
STATUSES = {200, 201, 400, 401, 403, 404, 405, 409, 413, 415}


def spoiled(chance, body):
    """A body's text with one bad value, key or byte."""
    text = json.dumps(body)
    match chance.randrange(9):
        case 0:
            places = list(_nodes(body))
            owner, name = chance.choice(places)
            original, owner[name] = owner[name], "@@"
            text = json.dumps(body).replace('"@@"', chance.choice(VALUES))
            owner[name] = original
        case 1:
            text = text[: chance.randrange(len(text))]
        case 2:
            position = chance.randrange(len(text))
            text = text[:position] + chr(chance.choice((0, 7, 34, 92, 123, 0x7F, 0xE9, 0xD800, 0x1F600))) + text[position + 1 :]
        case 3:
            text = chance.choice(VALUES)
        case 4:
            key = chance.choice(("context", "__class__", "id", "", "name\u0000", "mode_target", "x" * 300))
            text = text[:-1] + f", {json.dumps(key)}: {chance.choice(VALUES)}}}"
        case 5:
            data = {"observations": [OBSERVATION | {"context": {"t": "x" * chance.choice((8184, 8185, 9000))}}]}
            text = json.dumps(data if chance.random() < 0.5 else data["observations"][0])
        case _:
            # A context is stored unchanged: any JSON value must come back as it was sent.
            text = json.dumps(OBSERVATION | {"context": {"v": "@@"}}).replace('"@@"', chance.choice(VALUES))
    data = text.encode("utf-8", "surrogatepass")
    return chance.choice(
        (data, data, data, data, b"\xef\xbb\xbf" + data, text.encode("utf-16", "surrogatepass"), data + b"\xff")
    )


def _nodes(value):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield value, name
        yield from _nodes(inner)


def fuzz(caller, edge, cases, seed=0):
    """Send this many bad requests and return the figures. AssertionError at the first wrong response."""
    chance, figures = random.Random(seed), Counter()
    one = caller.new_instance()
    for number in range(cases):
        if number % 4 == 3:
            status, headers, body, sent = _strange(chance, caller, edge, one)
        else:
            status, headers, body, sent = _spoiled(chance, caller, one)
        figures["inputs"] += 1
        figures[f"answered {status}"] += 1
        assert status in STATUSES, (status, body[:300], sent)
        # A preflight is the gateway's own response, which has no id.
        assert headers.get("x-request-id") or "access-control-allow-methods" in headers, sent
        if status >= 400 and body:
            answer = json.loads(body)
            assert set(answer) >= {"error", "message", "details"}, sent
            assert set(answer) <= {"error", "message", "details", "missing_questions", "retry_after"}, sent
            assert not any(word in body for word in ("Traceback", "pydantic", "botocore")), (body[:300], sent)
    # Accepted requests are stored completely: they can be read and replayed.
    history = caller.get(f"/instances/{one}/history?limit=1000").json()
    instance = caller.get(f"/instances/{one}").json()["data"]
    assert history["pagination"]["total"] == instance["cycle_count"]
    verdict = caller.get(f"/instances/{one}/audit/verify").json()["data"]
    assert verdict["verified"] is True, verdict
    figures["accepted and processed"] = instance["cycle_count"]
    return figures


def _spoiled(chance, caller, one):
    path = chance.choice([*BODIES, "/process", "/process"])
    body = spoiled(chance, json.loads(json.dumps(BODIES[path])))
    headers = {"Content-Type": chance.choice(TYPES) if chance.random() < 0.05 else TYPES[0]}
    key = chance.choice(KEYS)
    sent = [*headers.items(), *([("Idempotency-Key", key.encode())] if key is not None else [])]
    response = caller.post(f"/instances/{one}{path}" if path else "/instances", content=body, headers=sent)
    return response.status_code, response.headers, response.text, (path, body[:300], sent)


def _strange(chance, caller, edge, one):
    """A request without httpx, which would normalise paths and methods: a raw ASGI scope."""
    method, path = chance.choice(METHODS), chance.choice(PATHS)
    if chance.random() < 0.5:
        path = f"/v1/instances/{one}" + chance.choice(("", "/snapshot", "/history", "/drift", "/contract", "/audit", "/x"))
        method = "GET" if chance.random() < 0.7 else method
        if method == "DELETE" and path == f"/v1/instances/{one}":
            method = "GET"
    headers = [(b"authorization", f"Bearer {caller.key}".encode()), (b"host", b"x")]
    more = (
        (b"authorization", b"Bearer x"), (b"content-length", b"-1"), (b"x-http-method-override", b"DELETE"),
        (b"x-forwarded-for", b"' OR 1=1"), (b"accept", b"text/html"), (b"content-type", b"\xff"), (b"cookie", b"\xff"),
    )  # fmt: skip
    headers.insert(chance.randrange(3), chance.choice(more))
    query = chance.choice(QUERIES).encode()
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http", "path": path,
        "raw_path": path.encode("utf-8", "surrogatepass"), "query_string": query, "headers": headers, "root_path": "",
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    messages = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        messages.append(message)

    asyncio.run(edge(scope, receive, send))
    start, *rest = messages
    body = b"".join(message.get("body", b"") for message in rest).decode()
    return start["status"], httpx.Headers(start["headers"]), body, (method, path[:100], query[:100], headers)
