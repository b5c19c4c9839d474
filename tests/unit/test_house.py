"""The house keeps its own rules."""

import subprocess
import sys
from pathlib import Path

from local import template


def test_imports_go_one_way():
    command = [Path(sys.executable).parent / "lint-imports", "--no-logo"]
    done = subprocess.run(command, cwd=template.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
