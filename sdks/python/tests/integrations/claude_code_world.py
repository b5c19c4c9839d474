"""Claude Code as its hooks see it: the events of a call, and the hook as a process."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import story
from identity_os_sdk.integrations.claude_code import client
from identity_os_sdk.integrations.claude_code.events import Session

RECORDED = Path(__file__).parent / "claude_code_sessions"
CLIENT = client.__file__


def recorded(name):
    """The events of a recorded session."""
    return [json.loads(line) for line in (RECORDED / f"{name}.jsonl").read_text().splitlines()]


def remembered(guard, **options):
    """A hook each event of which knows only what was kept as JSON, like a process of its own."""
    kept, lock = {"text": "{}"}, threading.Lock()

    def hook(event):
        with lock:
            known = json.loads(kept["text"])
            guard.core._reset_memory()
            guard.core._answered_at = guard.core._failed_at = None
            session = Session(guard, known, tools=story.TOOLS, **options)
            output = session.answer(event)
            session.keep()
            kept["text"] = json.dumps(known)
            return json.loads(json.dumps(output))

    return hook


class ClaudeCode:
    """Makes calls as Claude Code does. `hook(event)` is asked; `decide()` is the person in front of the dialog.

    `run(tool, given)` returns a tool's result, or raises. `call` returns what the model receives.
    """

    def __init__(self, hook, run, decide=lambda: "refuse", session="s1"):
        self.hook, self.run, self.decide, self.session, self.number = hook, run, decide, session, 0
        self.context, self.shown = [], []

    def event(self, name, **about):
        output = self.hook({"session_id": self.session, "cwd": "/home/dev/shop", "hook_event_name": name, **about})
        specific = output.get("hookSpecificOutput", {})
        if "additionalContext" in specific:
            self.context.append(specific["additionalContext"])
        if "systemMessage" in output:
            self.shown.append(output["systemMessage"])
        return specific

    def call(self, tool, given, call_id=None):
        self.number += 1
        about = {"tool_name": tool, "tool_input": given, "tool_use_id": call_id or f"toolu_{self.number}"}
        decided = self.event("PreToolUse", **about)
        choice, response = decided.get("permissionDecision"), None
        if choice == "deny":
            response = decided["permissionDecisionReason"]
        elif choice == "ask" and self.decide() != "approve":
            response = f"{tool} was refused by a person: {decided['permissionDecisionReason']}"
        if response is None:
            try:
                response = self.run(tool, given)
                self.event("PostToolUse", **about, tool_response={"content": [{"type": "text", "text": response}]})
            except Exception as error:
                response = str(error)
                self.event("PostToolUseFailure", **about, error=response, is_interrupt=False)
        self.event("PostToolBatch", tool_calls=[{**about, "tool_response": response}])
        return response


class Process:
    """The hook as Claude Code starts it: a process for each event."""

    def __init__(self, home, *options, **environment):
        self.options = options
        self.environment = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "PATH": os.environ["PATH"], **environment}
        self.last = None

    def command(self, event):
        return [sys.executable, "-I", "-S", CLIENT, event, *self.options]

    def started(self, event, text):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(self.command(event), env=self.environment, cwd="/", **pipes)
        process.stdin.write(text.encode())
        process.stdin.close()
        process.stdin = None
        return process

    def raw(self, event, text):
        """Exit code, stdout and stderr for what is on stdin."""
        process = self.started(event, text)
        out, err = process.communicate(timeout=60)
        self.last = (process.returncode, out.decode(), err.decode())
        return self.last

    def __call__(self, event):
        code, out, err = self.raw(event["hook_event_name"], json.dumps(event))
        assert code == 0, err
        return json.loads(out)
