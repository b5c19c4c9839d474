"""The Claude Code that claude-agent-sdk brings, as a process against a Messages API on loopback: no network, no key."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import claude_agent_sdk
from messages_api import MessagesAPI

CLAUDE = Path(claude_agent_sdk.__file__).parent / "_bundled" / "claude"


def environment(api: MessagesAPI, home: Path) -> dict[str, str]:
    """What Claude Code runs with: nothing of this machine's settings, and nothing but loopback."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(home),
        "ANTHROPIC_BASE_URL": api.url,
        "ANTHROPIC_API_KEY": "none",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1",
        "IS_SANDBOX": "1",
        "LC_ALL": "C.UTF-8",
    }


def run(
    folder: Path, home: Path, turns: list[list[tuple[str, dict[str, Any]]]], *arguments: str, prompt: str = "go", **more: str
) -> tuple[list[str], str]:
    """The results that the model received for its calls, and what Claude Code printed."""
    home.mkdir(exist_ok=True)
    with MessagesAPI(turns) as api:
        done = subprocess.run(
            [str(CLAUDE), "-p", prompt, *arguments],
            cwd=folder,
            env=environment(api, home) | more,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert done.returncode == 0, done.stderr
        return api.results(), done.stdout
