"""JSON-RPC messages as bytes: reading them, and writing the few that the proxy makes itself.

A message that nobody changes is passed on as it came, so nothing here has to know all of MCP.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

from ...observer import digest

#: What `read` returns for bytes that are no JSON, or JSON that Python cannot hold.
UNREADABLE: Final = object()
#: Ids of requests that the proxy makes itself. No server and no client uses them.
OWN: Final = "identity-os-"
_META: Final = "io.modelcontextprotocol/"
VERSION: Final = f"{_META}protocolVersion"
CAPABILITIES: Final = f"{_META}clientCapabilities"
CLIENT: Final = f"{_META}clientInfo"

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
INTERNAL_ERROR: Final = -32603
#: Errors about the protocol, not about the tool: a header, a version, a capability, a page to visit first (2025-11-25).
PROTOCOL_ERRORS: Final = frozenset({-32020, -32021, -32022, -32042})


def read(raw: bytes) -> Any:
    """The message, or UNREADABLE. Wrong UTF-8 is replaced, as the SDK's servers do, so that both read the same."""
    try:
        return json.loads(raw.decode(errors="replace"))
    except (ValueError, RecursionError):
        return UNREADABLE


def may_call(raw: bytes) -> bool:
    """Whether bytes that are unreadable here might be a tool call for a more generous reader, in UTF-16 say."""
    plain = raw.replace(b"\0", b"")
    return b"tools/call" in plain or b"tools\\/call" in plain


def write(message: Any) -> bytes:
    """A message as a line. Line ends within strings are escaped by JSON."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode(errors="replace") + b"\n"


def settle(future: asyncio.Future[Any] | None, value: Any) -> None:
    """Give an awaited answer, once."""
    if future is not None and not future.done():
        future.set_result(value)


def own_id() -> str:
    """The id of a request that the proxy makes itself."""
    return f"{OWN}{uuid4().hex}"


def key(request_id: Any) -> str:
    """What a request id is known by; a server that answers 1 with "1" is understood."""
    return str(request_id)


def params(message: Mapping[str, Any]) -> dict[str, Any]:
    """The params of a request, empty where there are none."""
    found = message.get("params")
    return found if isinstance(found, dict) else {}


def meta(message: Mapping[str, Any]) -> dict[str, Any]:
    """The _meta of a request."""
    found = params(message).get("_meta")
    return found if isinstance(found, dict) else {}


def is_modern(message: Mapping[str, Any]) -> bool:
    """Whether a request carries its version itself, as from 2026-07-28 on."""
    return VERSION in meta(message)


def is_call(message: Any) -> bool:
    """Whether it calls a tool, or is a batch that does."""
    if isinstance(message, list):
        return any(is_call(each) for each in message)
    return isinstance(message, dict) and message.get("method") == "tools/call"


def result(request_id: Any, value: Mapping[str, Any]) -> bytes:
    """The answer to a request."""
    return write({"jsonrpc": "2.0", "id": request_id, "result": value})


def error(request_id: Any, code: int, text: str) -> bytes:
    """The error that answers a request."""
    return write({"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": text}})


def unreadable() -> bytes:
    """The error for bytes that cannot be read and might call a tool."""
    return error(None, PARSE_ERROR, "Parse error: the guard cannot read this message, and it may call a tool")


def refusal(message: Mapping[str, Any], text: str) -> bytes:
    """The result of a call that was not made: an error that the model reads."""
    value: dict[str, Any] = {"content": [{"type": "text", "text": text}], "isError": True}
    if is_modern(message):
        value["resultType"] = "complete"
    return result(message.get("id"), value)


def list_request(like: Mapping[str, Any], cursor: str | None) -> dict[str, Any]:
    """A tools/list of the proxy's own, with the version and capabilities of the request `like`."""
    given: dict[str, Any] = {} if cursor is None else {"cursor": cursor}
    if is_modern(like):
        given["_meta"] = {name: value for name, value in meta(like).items() if name in (VERSION, CAPABILITIES, CLIENT)}
    made: dict[str, Any] = {"jsonrpc": "2.0", "id": own_id(), "method": "tools/list"}
    return made | ({"params": given} if given else {})


def text_of(value: Mapping[str, Any]) -> str:
    """A tool's result as text. What is no text stands as its kind and a hash, so that equal results are equal."""
    blocks = value.get("content")
    parts = [_block(block) for block in blocks] if isinstance(blocks, list) else []
    if not parts and "structuredContent" in value:
        parts = [json.dumps(value["structuredContent"], sort_keys=True)]
    return "\n".join(parts)


def _block(block: Any) -> str:
    if not isinstance(block, dict):
        return str(block)
    resource = block.get("resource")
    text = resource.get("text") if isinstance(resource, dict) else block.get("text")
    return text if isinstance(text, str) else f"[{block.get('type')} {digest(block)}]"
