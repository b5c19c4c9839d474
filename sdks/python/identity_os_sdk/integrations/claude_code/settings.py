"""The hooks in Claude Code's settings: what to write, and how to write it without touching anything else.

The file is people's own. So it is not written anew: the text of what is added goes to its place, all other bytes stay.
"""

import json
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from json.decoder import WHITESPACE, JSONDecodeError, scanstring  # type: ignore[attr-defined]
from pathlib import Path
from typing import Any, Final

from ...errors import ConfigurationError
from . import client

#: How a hook of ours is told from others.
_OURS: Final = os.path.join("integrations", "claude_code", "client.py")
_GONE: Final = "identity-os-guard did not run: install it again, or take its hooks out of the settings of Claude Code"
#: Seconds that Claude Code waits: more than the hook needs to give up by itself.
_TIMEOUT: Final = 30


def hook(event: str, options: Sequence[str], on_unreachable: str) -> dict[str, Any]:
    """The hook of an event. It names this Python and this file, so that PATH does not matter.

    Where the hook cannot run at all (the environment was removed), PreToolUse blocks, unless `on_unreachable` is allow.
    """
    words = [
        sys.executable,
        "-I",
        "-S",
        os.path.join(os.path.dirname(os.path.abspath(client.__file__)), "client.py"),
        event,
        *options,
    ]
    command, closed = shlex.join(words), event == "PreToolUse" and on_unreachable != "allow"
    if closed:
        command = f"{command} || {{ echo '{_GONE}' >&2; exit 2; }}"
    return {"type": "command", "command": command, "timeout": _TIMEOUT, **({"onFailure": "block"} if closed else {})}


def installed(text: str, options: Sequence[str], on_unreachable: str) -> str:
    """The settings with our hooks, in place of those that an earlier installation left."""
    wanted = {event: hook(event, options, on_unreachable) for event in client.EVENTS}
    if text.strip() and ours(text) == {event: [each] for event, each in wanted.items()}:
        return text
    document = _Document(without(text) if text.strip() else "{}\n")
    for event, each in wanted.items():
        document.add(event, {"hooks": [each]})
    return document.text


def without(text: str) -> str:
    """The settings without our hooks."""
    document = _Document(text)
    for event in list(document.hooks()):
        document.remove(event)
    return document.text


def ours(text: str) -> dict[str, list[Any]]:
    """Our hooks in the settings, by event."""
    found = {
        event: [each for group in groups for each in _hooks_of(group) if _is_ours(each)]
        for event, groups in _Document(text).hooks().items()
    }
    return {event: hooks for event, hooks in found.items() if hooks}


def write(file: Path, text: str) -> None:
    """Write the file whole or not at all, with the rights that it has, through a link if it is one."""
    file = file.resolve()
    file.parent.mkdir(parents=True, exist_ok=True)
    mode = file.stat().st_mode & 0o777 if file.exists() else 0o644
    handle, made = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(made, mode)
        os.replace(made, file)
    except BaseException:
        with suppress(OSError):
            os.unlink(made)
        raise


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ConfigurationError("a key is there twice, so nothing was changed")
    return found


class _Document:
    """A text of JSON that is changed in places. ConfigurationError for one that Claude Code could not read either."""

    def __init__(self, text: str) -> None:
        self.text = text
        indent = re.search(r"^([ \t]+)\S", text, re.MULTILINE)
        self._indent = indent[1] if indent else "  "
        self._newline = "\r\n" if "\r\n" in text else "\n"
        self._read()

    def hooks(self) -> dict[str, Any]:
        """What stands under `hooks`."""
        found: dict[str, Any] = self._read().get("hooks", {})
        return found

    def add(self, event: str, group: dict[str, Any]) -> None:
        """Add a group of hooks at the end of those of the event."""
        found = self._read()
        if "hooks" not in found:
            self._insert(0, 1, {event: [group]}, "hooks")
            return
        hooks = _value(self.text, 0, "hooks")
        if event in found["hooks"]:
            self._insert(_value(self.text, hooks, event), 3, group)
        else:
            self._insert(hooks, 2, [group], event)

    def remove(self, event: str) -> None:
        """Remove our hooks of an event, and what is empty then."""
        groups = self.hooks()[event]
        left = [_without_ours(group) for group in groups]
        if left == groups:
            return
        hooks = _value(self.text, 0, "hooks")
        if any(left):
            place = _value(self.text, hooks, event)
            for number in reversed(range(len(groups))):
                if left[number] is None:
                    self._cut(place, number)
                elif left[number] != groups[number]:
                    _, _, start, end = _children(self.text, place)[0][number]
                    self.text = self.text[:start] + self._dumped(left[number], 3) + self.text[end:]
        elif len(self.hooks()) > 1:
            self._cut(hooks, list(self.hooks()).index(event))
        else:
            self._cut(0, list(self._read()).index("hooks"))

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self.text, object_pairs_hook=_object)
        except (JSONDecodeError, RecursionError) as error:
            raise ConfigurationError(f"no JSON, so nothing was changed: {error}") from error
        if not isinstance(found, dict):
            raise ConfigurationError("not an object, so nothing was changed")
        hooks = found.get("hooks", {})
        if not isinstance(hooks, dict) or not all(isinstance(groups, list) for groups in hooks.values()):
            raise ConfigurationError('"hooks" is not an object of lists, so nothing was changed')
        return found

    def _insert(self, place: int, depth: int, value: Any, key: str | None = None) -> None:
        """Add a value at the end of the object or list at `place`."""
        children, close = _children(self.text, place)
        child = ("" if key is None else f"{json.dumps(key)}: ") + self._dumped(value, depth)
        line = self._newline + self._indent * depth
        if children:
            end = children[-1][3]
            self.text = f"{self.text[:end]},{line}{child}{self.text[end:]}"
        else:
            begin = _skip(self.text, place) + 1
            self.text = f"{self.text[:begin]}{line}{child}{self._newline}{self._indent * (depth - 1)}{self.text[close:]}"

    def _cut(self, place: int, number: int) -> None:
        """Remove a child of the object or list at `place`, and its comma."""
        children, close = _children(self.text, place)
        if len(children) == 1:
            start, end = _skip(self.text, place) + 1, close
        elif number:
            start, end = children[number - 1][3], children[number][3]
        else:
            start, end = children[0][1], children[1][1]
        self.text = self.text[:start] + self.text[end:]

    def _dumped(self, value: Any, depth: int) -> str:
        lines = json.dumps(value, indent=self._indent, ensure_ascii=False).split("\n")
        return (self._newline + self._indent * depth).join(lines)


def _hooks_of(group: Any) -> list[Any]:
    hooks = group.get("hooks") if isinstance(group, dict) else None
    return hooks if isinstance(hooks, list) else []


def _is_ours(hook: Any) -> bool:
    return isinstance(hook, dict) and _OURS in str(hook.get("command"))


def _without_ours(group: Any) -> Any:
    """The group without our hooks, None when nothing is left of it."""
    hooks = _hooks_of(group)
    left = [each for each in hooks if not _is_ours(each)]
    if left == hooks:
        return group
    return {**group, "hooks": left} if left else None


def _children(text: str, place: int) -> tuple[list[tuple[str, int, int, int]], int]:
    """What the object or list at `place` holds: key, where it starts, where its value starts and ends; and where it closes.

    The text is known to be JSON.
    """
    decoder, found = json.JSONDecoder(), []
    at = _skip(text, place)
    keyed = text[at] == "{"
    at = _skip(text, at + 1)
    while text[at] not in "}]":
        key, value = "", at
        if keyed:
            key, end = scanstring(text, at + 1)
            value = _skip(text, _skip(text, end) + 1)
        _, stop = decoder.raw_decode(text, value)
        found.append((key, at, value, stop))
        at = _skip(text, stop)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return found, at


def _value(text: str, place: int, key: str) -> int:
    """Where the value of a key starts in the object at `place`."""
    return next(value for name, _, value, _ in _children(text, place)[0] if name == key)


def _skip(text: str, at: int) -> int:
    found = WHITESPACE.match(text, at)
    return int(found.end())
