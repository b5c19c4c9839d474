"""Record what Claude Code gives its hooks: python record_claude_code.py, with claude-agent-sdk installed.

Each session is played by the real Claude Code, with real files, tests and commands; the model's turns are written here. The
files in claude_code_sessions/ are what its hooks read from stdin, a line for each event; names of folders and ids are made the
same.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import claude_cli

SESSIONS = Path(__file__).parent / "claude_code_sessions"
EVENTS = ("SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "PostToolUseFailure", "PostToolBatch", "Stop")
SHOP = "def total(prices, discount):\n    return sum(prices) - discount\n\n\ndef label(name):\n    return name\n"
TESTS = """import unittest

from shop import label, total


class Shop(unittest.TestCase):
    def test_total(self):
        self.assertEqual(total([100, 50], 10), 135)

    def test_label(self):
        self.assertEqual(label("  tea "), "Tea")


unittest.main()
"""

Turn = list[tuple[str, dict[str, Any]]]


def bash(command: str) -> Turn:
    return [("Bash", {"command": command})]


def sessions(at: Path) -> dict[str, list[Turn]]:
    def read(*names: str) -> Turn:
        return [("Read", {"file_path": str(at / name)}) for name in names]

    def edit(old: str, new: str, name: str = "shop.py") -> Turn:
        return [("Edit", {"file_path": str(at / name), "old_string": old, "new_string": new})]

    def write(name: str, content: str) -> Turn:
        return [("Write", {"file_path": str(at / name), "content": content})]

    tests = bash("python3 test_shop.py")
    return {
        # A bug is fixed step by step: the same tests fail four times, with an edit between.
        "fix-a-bug": [
            bash("ls && git status"),
            read("shop.py", "test_shop.py"),
            tests,
            edit("sum(prices) - discount", "sum(prices) * discount / 100"),
            tests,
            edit("sum(prices) * discount / 100", "sum(prices) * (100 - discount) / 100"),
            tests,
            edit("return name", "return name.strip()"),
            tests,
            bash('grep -rn "label(" .'),
            edit("return name.strip()", "return name.strip().capitalize()"),
            tests,
            bash("git add -A && git commit -qm 'Fix total and label'"),
        ],
        # A question about the code: many reads, some of files that are not there, nothing is changed.
        "answer-a-question": [
            read("README.md"),
            read("setup.py"),
            read("docs/index.rst"),
            read("src/shop.py"),
            bash("find . -name '*.py' | head -20"),
            read("shop.py"),
            bash('grep -n "discount\\|price" shop.py'),
            bash("cat CHANGELOG.md"),
            bash("git log --oneline | head -5"),
            read("test_shop.py"),
        ],
        # A project is set up: several commands fail, each another one, until one works.
        "set-up": [
            bash("make test"),
            bash("pnpm-of-nowhere install"),
            bash("python3 -m pytest-of-nowhere"),
            bash("python3 -c 'import shopping'"),
            read("shop.py"),
            bash("node-of-nowhere --version"),
            write("Makefile", "test:\n\tpython3 test_shop.py\n"),
            bash("make test"),
            bash("python3 -c 'import shop; print(shop.total([100], 10))'"),
            write("Makefile", "test:\n\tpython3 -c 'import shop'\n"),
            bash("make -f Makefile test || true"),
        ],
        # Many edits, and after each the same check with the same output.
        "refactor": [
            read("shop.py"),
            *[
                turn
                for old, new in (
                    ("def total(prices, discount)", "def total(prices, percent)"),
                    ("sum(prices) - discount", "sum(prices) * (100 - percent) / 100"),
                    ("def label(name)", "def label(text)"),
                    ("return name", "return text.strip()"),
                    ("text.strip()", "text.strip().capitalize()"),
                )
                for turn in (edit(old, new), bash("python3 -m py_compile shop.py"))
            ],
            tests,
            bash("git diff --stat"),
            bash("git commit -qam 'Say percent'"),
        ],
        # The same failing command again and again: then reading, and a question to the user.
        "stuck": [
            tests,
            tests,
            tests,
            edit("sum(prices) - discount", "sum(prices)"),
            tests,
            read("shop.py", "test_shop.py"),
            bash("cat shop.py | head -3"),
            bash("git log --oneline"),
            read("shop.py"),
            read("test_shop.py"),
            edit("sum(prices)", "sum(prices) * (100 - discount) / 100"),
            tests,
        ],
    }


def record(name: str) -> list[dict[str, Any]]:
    """The events of a session, as its hooks read them."""
    with tempfile.TemporaryDirectory() as made:
        at, home = Path(made) / "shop", Path(made) / "home"
        (at / ".claude").mkdir(parents=True)
        log = Path(made) / "log"
        (at / "shop.py").write_text(SHOP)
        (at / "test_shop.py").write_text(TESTS)
        (at / ".gitignore").write_text(".claude\n__pycache__\n")
        for command in ("git init -q", "git add -A", "git -c user.name=dev -c user.email=dev@example.test commit -qm Begin"):
            claude_cli.subprocess.run(command.split(), cwd=at, check=True)
        recorder = f"python3 -c 'import sys; open({json.dumps(str(log))}, \"a\").write(sys.stdin.read() + chr(10))'"
        hook = [{"hooks": [{"type": "command", "command": recorder}]}]
        (at / ".claude" / "settings.json").write_text(json.dumps({"hooks": dict.fromkeys(EVENTS, hook)}))
        turns = sessions(at)[name]
        git = {f"GIT_{who}_{what}": "dev" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        claude_cli.run(at, home, turns, "--permission-mode", "bypassPermissions", **git)
        text = log.read_text().replace(str(at.resolve()), "/home/dev/shop").replace(str(home.resolve()), "/home/dev")
        events = [json.loads(line) for line in text.splitlines() if line]
    for event in events:
        event["session_id"] = name
        for field in ("transcript_path", "prompt_id", "duration_ms", "effort"):
            event.pop(field, None)
    return events


if __name__ == "__main__":
    for each in sys.argv[1:] or sessions(Path("/")):
        found = record(each)
        text = "".join(f"{json.dumps(event)}\n" for event in found)
        text = re.sub(r"/[\w./-]+/bin/python", "/usr/bin/python", text)
        (SESSIONS / f"{each}.jsonl").write_text(text)
        print(each, len(found))
