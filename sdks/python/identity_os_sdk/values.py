"""Values as recordings and spans write them: names, arguments, texts, LangChain's messages. It knows no run and no span."""

import json
from collections.abc import Mapping
from typing import Any

#: The kinds of LangChain's messages.
_KINDS = {"human": "human", "ai": "ai", "tool": "tool", "system": "system", "function": "tool", "remove": "system"}
#: Names of classes, in constructors and of chunks.
_CLASSES = {
    f"{name}Message{chunk}": kind
    for name, kind in (("Human", "human"), ("AI", "ai"), ("Tool", "tool"), ("System", "system"), ("Function", "tool"))
    for chunk in ("", "Chunk")
}


def name_of(value: Any) -> str:
    """An id or a name as text: what no file and no database takes (half of a surrogate pair) is replaced."""
    if value is None or isinstance(value, dict | list):
        return ""
    return str(value).encode("utf-8", "replace").decode()


def arguments_of(value: Any) -> Any:
    """Arguments as a value: several formats keep them as JSON text."""
    if value is None:
        return {}
    if isinstance(value, str):
        try:
            parsed = json.loads(value)
        except (ValueError, RecursionError):
            return value
        return parsed if isinstance(parsed, dict | list) else value
    return value


def text_of(content: Any) -> str:
    """The text of a message: a text, or a list of parts, of which those that are text count."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(text for part in content if (text := _part(part)))
    return json.dumps(content, ensure_ascii=False, default=str)


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, dict):
        return next((part[name] for name in ("text", "content") if isinstance(part.get(name), str)), "")
    return ""


def langchain_message(message: Mapping[str, Any]) -> tuple[str | None, Mapping[str, Any]]:
    """The kind of a LangChain message and its fields, out of whatever wraps them. The kind is None where unknown."""
    kind, fields = message.get("type"), message
    if kind == "constructor":
        names = message.get("id")
        kind = names[-1] if isinstance(names, list) and names else None
        fields = message.get("kwargs") or {}
    elif isinstance(message.get("data"), dict):
        fields = message["data"]
    known = _KINDS.get(kind) or _CLASSES.get(kind) if isinstance(kind, str) else None
    return known, fields if isinstance(fields, dict) else {}
