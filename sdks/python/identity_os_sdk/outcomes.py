"""Whether a tool's result is an error, and which rule said so.

The framework's own word comes first. Where it says nothing the text decides: how it begins, or a short one that says that
something was not found. A pattern of the user's takes the place of the rules of text.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from identity_os_sdk.errors import InvalidArgumentError

#: How a text begins that is an error, after quotes and brackets: with one of these words, or the name of an exception, such as
#: ValueError. Not after "{": a key that is called error may well hold null, `_error_field` reads it.
_BEGINS = re.compile(
    r"""[\s"'`\[(<*#]*(?:[\w.]*(?:Error|Exception)|(?i:error|exception|traceback|invalid|failed))\b""", re.ASCII
)
_NOT_FOUND = re.compile(r"\bnot found\b", re.IGNORECASE)
#: A longer text that says "not found" somewhere is a document about it.
_SHORT = 200

#: The rules, as they are shown. The last one is for results that no rule took for an error.
FLAG_ERROR, FLAG_WORKED = "the recording says error", "the recording says worked"
FIELD, BEGINS, NOT_FOUND = "an error field", "begins like an error", "short, and says not found"
PATTERN, NOTHING = "--error-pattern", "nothing says error"


@dataclass(frozen=True)
class ErrorRules:
    """How results are judged. `pattern`: the user's, searched in the text."""

    pattern: re.Pattern[str] | None = None

    @classmethod
    def of(cls, pattern: str | None) -> "ErrorRules":
        """The rules with the user's pattern. InvalidArgumentError where it is none."""
        try:
            return cls(re.compile(pattern, re.IGNORECASE) if pattern else None)
        except re.error as error:
            raise InvalidArgumentError(f"--error-pattern {pattern!r}: {error}") from error

    def judge(self, result: Any, flag: bool | None = None, message: str = "") -> tuple[str | None, str]:
        """The error's text, None for a call that worked, and the rule.

        `flag`: what the recording says, True for an error, None where it says nothing. `message`: its text of the error.
        """
        text = result if isinstance(result, str) else _as_text(result)
        if flag:
            return message or text or "error", FLAG_ERROR
        if self.pattern is not None:
            return (text, PATTERN) if self.pattern.search(text) else (None, NOTHING)
        if flag is False:
            return None, FLAG_WORKED
        if _error_field(result):
            return text, FIELD
        if _BEGINS.match(text):
            return text, BEGINS
        if len(text) <= _SHORT and _NOT_FOUND.search(text):
            return text, NOT_FOUND
        return None, NOTHING


def _error_field(result: Any) -> bool:
    if isinstance(result, str):
        if not result.lstrip().startswith("{") or "error" not in result[:_SHORT].lower():
            return False
        try:
            result = json.loads(result)
        except (ValueError, RecursionError):
            return False
    return isinstance(result, dict) and any(bool(result.get(name)) for name in ("error", "Error", "exception"))


def _as_text(value: Any) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False, default=str)
