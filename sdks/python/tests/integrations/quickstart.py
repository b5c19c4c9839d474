"""Follows a quickstart to the letter: its files, its commands, in an empty folder, with the wheels of this checkout."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]


class Quickstart:
    """A page of docs/quickstarts and a folder in which its commands run, in one shell after the other."""

    def __init__(self, name, folder):
        self.text, self.folder = (ROOT / "docs" / "quickstarts" / f"{name}.md").read_text(), folder
        files = re.findall(r"`([\w-]+\.py)`(?:(?!```).)*?```python\n(.*?)```", self.text, re.DOTALL)
        for file, content in files:
            (folder / file).write_text(content)
        self.files = [file for file, _ in files]
        self.commands = re.findall(r"^\$ (.*)$", self.text, re.MULTILINE)
        (self.shown,) = re.findall(r"```text\n(.*?)```", self.text, re.DOTALL)

    def run(self, *commands):
        """What the commands print, the environment that the page has made being active."""
        active = [". .venv/bin/activate"] if (self.folder / ".venv").exists() else []
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        links = f"{ROOT / 'dist' / 'python'} {os.environ.get('PIP_FIND_LINKS', '')}"
        wheels = {"PIP_FIND_LINKS": links, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_QUIET": "1"}
        # No key of any vendor: whoever has one exported must not be asked for it, nor charged.
        kept = {name: value for name, value in os.environ.items() if not re.search("API_KEY|PYTHONPATH|VIRTUAL_ENV", name)}
        script = "set -e\n" + "\n".join([*active, *commands])
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=kept | wheels | {"PATH": path, "HOME": str(self.folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout


def ends_with_a_denial(name):
    """The test of a page: install, program, reset, in this order."""

    def test_the_quickstart_ends_with_a_call_that_is_denied(tmp_path):
        page = Quickstart(name, tmp_path)
        assert page.files == ["agent.py"]
        venv, install, program, reset = page.commands
        assert not list(tmp_path.glob(".*"))
        page.run(venv, install)
        assert page.run(program) == page.shown
        assert page.shown.splitlines()[-1].startswith("refund is not allowed now: execute is not allowed while stress is HIGH.")
        assert page.run(program).startswith("refund is not allowed now")  # still held
        assert "support-bot: last_stable, stress LOW" in page.run(reset)
        assert page.run(program) == page.shown

    return test_the_quickstart_ends_with_a_call_that_is_denied
