"""docs/quickstarts/curl.md is followed to the letter, in an empty folder, against `make run`'s server."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from local.template import ROOT
from tests.serving import serving

PAGE = (ROOT / "docs" / "quickstarts" / "curl.md").read_text()


@pytest.mark.skipif(not shutil.which("curl"), reason="the page is about curl")
def test_the_quickstart_ends_with_a_call_that_is_denied(tmp_path: Path) -> None:
    (program,) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    (shown,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    commands = re.findall(r"^\$ (.*)$", PAGE, re.MULTILINE)
    assert commands[0] == "make run"
    (tmp_path / "loop.sh").write_text(program)
    with serving("embedded") as (url, keys):
        # What is in the way of the letter: the test's server has a free port, and a folder of its own.
        (tmp_path / ".local").mkdir()
        (tmp_path / ".local" / "keys.json").write_text(json.dumps(keys))
        assert commands[1] == "export API=http://localhost:8000/v1"
        script = "\n".join([f"export API={url}", *commands[2:]])
        done = subprocess.run(["/bin/sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == shown
