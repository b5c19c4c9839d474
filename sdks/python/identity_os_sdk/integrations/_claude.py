"""What the hooks of Claude Code and of the Claude Agent SDK have in common: the same hooks, in a process and as a callback."""

import json
from typing import Any


def decided(choice: str, reason: str) -> dict[str, Any]:
    """The answer to PreToolUse. `choice`: allow, deny, ask, defer."""
    about = {"hookEventName": "PreToolUse", "permissionDecision": choice, "permissionDecisionReason": reason}
    return {"hookSpecificOutput": about}


def text_of(response: Any) -> str:
    """A tool's response as text: the text blocks if it has such, else sorted JSON."""
    blocks = response.get("content", response) if isinstance(response, dict) else response
    if isinstance(blocks, str):
        return blocks
    if isinstance(blocks, list) and all(isinstance(block, dict) and "text" in block for block in blocks):
        return "\n".join(str(block["text"]) for block in blocks)
    return json.dumps(response, sort_keys=True, default=str)
