"""docs/replay.md is true: its runs print what it shows, and its tables name formats, options and rules of errors."""

import argparse
import os
import re
from pathlib import Path

from identity_os_sdk import outcomes
from identity_os_sdk.commands import replay
from identity_os_sdk.commands.main import main
from identity_os_sdk.replay.readers import FORMATS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "replay.md").read_text()


def first_cells(heading):
    """The first cells of the rows of a section's table."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| (.*?) \|", section, re.MULTILINE)[1:]


def test_the_runs_print_what_the_page_shows(tmp_path, monkeypatch, capsys):
    runs, shown = re.search(r"<!-- runs.jsonl -->\n```json\n(.*?)```.*?```text\n(.*?)```", PAGE, re.DOTALL).groups()
    monkeypatch.chdir(tmp_path)
    Path("runs.jsonl").write_text(runs)
    assert main(["replay", "runs.jsonl"]) == 0
    out, err = capsys.readouterr()
    assert "\n".join(line.rstrip() for line in out.splitlines()) + os.linesep == shown
    assert err == ""


def test_every_format_has_a_row():
    assert {cell.strip("`") for cell in first_cells("Formats")} == set(FORMATS)


def test_every_option_has_a_row():
    parser = argparse.ArgumentParser()
    replay.add_arguments(parser)
    options = set(re.findall(r"\[(--[\w-]+)", parser.format_usage())) - {"--help"}
    others = {"--format"}  # in its own section
    assert {cell.strip("`").split()[0] for cell in first_cells("Options")} == options - others


def test_every_rule_of_errors_has_a_row():
    rows = first_cells("Whether a result is an error")
    rules = {outcomes.FIELD, outcomes.BEGINS, outcomes.NOT_FOUND, outcomes.NOTHING}
    assert rules < set(rows)
    assert f"{outcomes.FLAG_ERROR}, or worked" in rows
