"""The packages that are deployed are locked: by version and hash, within the ranges of pyproject.toml, and complete."""

import re
import subprocess
import tomllib
from importlib.metadata import requires, version

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from local import template

PROJECT = tomllib.loads((template.ROOT / "pyproject.toml").read_text())["project"]
#: The files that `make lock` writes, and the ranges that they are for.
RANGES = {
    "layers/dependencies": PROJECT["dependencies"],
    "functions/console": PROJECT["optional-dependencies"]["console"],
}
FILES = {folder: (template.ROOT / folder / "requirements.txt").read_text() for folder in RANGES}
#: Where the packages run: what a package asks for there, and with which extra.
LAMBDA = default_environment() | {
    "python_version": "3.13", "python_full_version": "3.13.0", "implementation_name": "cpython", "extra": "",
    "os_name": "posix", "sys_platform": "linux", "platform_system": "Linux", "platform_machine": "aarch64",
}  # fmt: skip


def locked(folder):
    return dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", FILES[folder], re.MULTILINE))


EVERYTHING = {name: number for folder in RANGES for name, number in locked(folder).items()}


@pytest.mark.parametrize("folder", RANGES)
def test_the_lock_is_for_these_ranges(folder):
    """A range that changed needs a new lock, even if the locked version is still in it: make lock."""
    assert re.findall(r"^#   (\S+)$", FILES[folder], re.MULTILINE) == RANGES[folder]
    for requirement in map(Requirement, RANGES[folder]):
        assert requirement.specifier.contains(locked(folder)[requirement.name]), requirement


@pytest.mark.parametrize("folder", RANGES)
def test_every_package_has_a_version_and_hashes_and_nothing_else(folder):
    """No marker, since pip reads it by the Python that builds; no address, since each machine has its own index."""
    packages = re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", FILES[folder], flags=re.MULTILINE).strip())
    assert len(packages) == len(locked(folder)) > 5
    for package in packages:
        assert re.fullmatch(r"[a-z0-9.-]+==[\w.]+( \\\n    --hash=sha256:[0-9a-f]{64})+", package), package


def test_what_a_locked_package_needs_is_locked():
    """The builds install with --no-deps, so a package that is missing here is missing in Lambda."""
    for name in EVERYTHING:
        for needed in map(Requirement, requires(name) or []):
            if needed.marker is None or needed.marker.evaluate(LAMBDA):
                found = EVERYTHING.get(canonicalize_name(needed.name))
                assert found is not None, f"{name} needs {needed}"
                assert needed.specifier.contains(found), f"{name} needs {needed}, locked is {found}"
    assert not set(locked("layers/dependencies")) & set(locked("functions/console")), "the console has the layer too"


def test_the_tests_run_on_what_is_deployed():
    assert {name: version(name) for name in EVERYTHING} == EVERYTHING, "make installs the locked versions again"


@pytest.mark.parametrize(("folder", "target"), [("layers/dependencies", "Dependencies"), ("functions/console", "Console")])
def test_builds_take_only_files_whose_hashes_are_locked(folder, target):
    command = ["make", "--dry-run", "--no-print-directory", "-C", folder, f"build-{target}", "ARTIFACTS_DIR=/nowhere"]
    shown = subprocess.run(command, cwd=template.ROOT, capture_output=True, text=True, check=True).stdout
    (install,) = re.findall(r"pip install(?:.*\\\n)*.*", shown)
    assert install.endswith("--no-deps --require-hashes -r requirements.txt")
