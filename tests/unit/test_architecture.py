"""Architecture rules: import directions and layer builds."""

import marshal
import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from local import template

#: The layers as SAM builds them, and the targets of their makefiles.
LAYERS = {"engine": "EngineLayer", "layers/service": "ServiceLayer", "layers/dependencies": "Dependencies"}


def test_imports_go_one_way():
    command = [Path(sys.executable).parent / "lint-imports", "--no-logo"]
    done = subprocess.run(command, cwd=template.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("folder", ["engine", "layers/service"])
def test_layers_have_unchecked_hash_bytecode(folder, tmp_path):
    built = ["build-" + LAYERS[folder], f"ARTIFACTS_DIR={tmp_path}", f"RUNTIME={sys.executable}"]
    subprocess.run(["make", "-C", template.ROOT / folder, *built], check=True, capture_output=True)
    sources = list(tmp_path.rglob("*.py"))
    assert sources
    for source in sources:
        compiled = Path(cache_from_source(source)).read_bytes()
        # PEP 552: unchecked hash-based bytecode, since zips and layers change file timestamps.
        assert int.from_bytes(compiled[4:8], "little") == 0b01
        assert marshal.loads(compiled[16:]).co_filename == f"/opt/{source.relative_to(tmp_path)}"


def test_all_layers_use_the_same_compile_step():
    recipes = {(template.ROOT / folder / "Makefile").read_text().partition("# Bytecode")[2] for folder in LAYERS}
    assert len(recipes) == 1
    assert "compileall" in recipes.pop()
