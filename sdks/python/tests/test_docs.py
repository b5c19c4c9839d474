"""docs/guard.md is true: its program prints what it shows, and its table of rules is the observer's."""

import re
import subprocess
import sys
from pathlib import Path

from identity_os_sdk.observer import RULES

PAGE = Path(__file__).resolve().parents[3] / "docs" / "guard.md"


def rules_table():
    rows = ["| event | mode | strength |", "|---|---|---|"]
    for rule in RULES.values():
        strength = f"{'+' if rule.name in ('further', 'again') else ''}{rule.strength}"
        rows.append(f"| {rule.event} | {rule.mode.value} | {strength} |")
    return "\n".join(rows)


def test_the_program_prints_what_the_page_shows():
    program, shown = re.search(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE.read_text(), re.DOTALL).groups()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == shown, done.stderr


def test_the_table_of_rules_is_the_observers():
    assert f"<!-- rules -->\n{rules_table()}\n<!-- /rules -->" in PAGE.read_text()
