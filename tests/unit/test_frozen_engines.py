"""Frozen engines: their bytes never change, they answer as they did, and released sources are not edited."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FROZEN = ROOT / "tests" / "engines"


def freeze(*arguments):
    command = [sys.executable, str(ROOT / "engine" / "freeze.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("folder", [ROOT / "engine", FROZEN], ids=["engine", "tests"])
def test_every_release_is_as_it_was(folder):
    done = freeze("--check", "--to", folder)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def sources(tmp_path):
    folder = tmp_path / "sources"
    shutil.copytree(ROOT / "engine" / "identity_engine", folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_equal_sources_give_equal_bytes_and_a_second_freeze_changes_nothing(sources, tmp_path):
    for name in ("one", "two"):
        assert freeze("--source", sources, "--to", tmp_path / name).returncode == 0
    releases = [(tmp_path / name / "releases.json").read_bytes() for name in ("one", "two")]
    assert releases[0] == releases[1]
    assert "frozen already" in freeze("--source", sources, "--to", tmp_path / "one").stdout


def test_released_sources_that_were_edited_are_refused(sources, tmp_path):
    assert freeze("--source", sources, "--to", tmp_path).returncode == 0
    config = sources / "config.py"
    config.write_text(config.read_text() + "\n# a change\n")
    for arguments in (["--source", sources, "--to", tmp_path], ["--check", "--source", sources, "--to", tmp_path]):
        refused = freeze(*arguments)
        assert (refused.returncode, "raise ENGINE_VERSION" in refused.stderr) == (1, True)


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("notes.txt", "hello", "is no module"),
        ("extra.py", "def late():\n    import json, identity_engine.config\n", "still imports identity_engine"),
        ("relative.py", "from . import config\n", "a relative import"),
    ],
)
def test_leftovers_are_refused(sources, tmp_path, name, text, problem):
    (sources / name).write_text(text)
    refused = freeze("--source", sources, "--to", tmp_path)
    assert (refused.returncode, problem in refused.stderr) == (1, True), refused.stderr


@pytest.mark.parametrize("damage", ["bytes", "answers"])
def test_a_damaged_release_is_found(tmp_path, damage):
    shutil.copytree(FROZEN, tmp_path / "engines")
    listed = tmp_path / "engines" / "releases.json"
    entries = json.loads(listed.read_text())
    if damage == "answers":
        entries["1.0.0"]["answers"] = "0" * 64
        listed.write_text(json.dumps(entries))
    else:
        (file,) = (tmp_path / "engines" / "releases").iterdir()
        file.write_bytes(file.read_bytes() + b" ")
    assert freeze("--check", "--to", tmp_path / "engines").returncode == 1
