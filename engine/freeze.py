"""Freezes the engine: a release that can be run for ever beside later ones (`make freeze`; docs/upgrading.md).

    releases/identity_engine_1_1_0.zip   the package under a name of its own, so that several can be imported at once
    releases.json                        by version: the zip's SHA-256, and a digest of what the engine answers

Equal sources give equal bytes: times are fixed, nothing is compressed. `--check` finds a zip that was changed, an engine that
answers otherwise than when it was frozen, and sources that were changed after they were released under the same version.
"""

import argparse
import ast
import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

HERE = Path(__file__).parent
SOURCE = HERE / "identity_engine"
_IMPORT = re.compile(r"^(\s*(?:from|import) )identity_engine\b", re.MULTILINE)
_VERSION = re.compile(r'^ENGINE_VERSION: Final = "(\d+\.\d+\.\d+)"$', re.MULTILINE)
#: What a frozen engine is asked, in a process of its own: every mode, stress, an incident, calm, and a reset.
_ASK = """
import importlib, json, sys
from hashlib import sha256
sys.path.append(sys.argv[1])
engine = importlib.import_module(sys.argv[2] + ".interface")
modes = ["PERCEPTION", "EXPLORATION", "ORDER", "ASSERTION", "CONNECTION", "IDENTITY", "STRESS_RESPONSE"]
state, digest, seed = engine.birth({"governance": "strict", "core_modes": [2]}, [0.0] * 7, 0.8), sha256(), 11
for turn in range(60):
    rows = []
    for _ in range(10):
        seed = (seed * 1103515245 + 12345) % 2**31
        mode = 6 if turn % 20 > 16 else seed // 65536 % 6
        incident = "incident" if mode == 6 and seed % 5 == 0 else "normal"
        rows.append({"mode_target": modes[mode], "signal_strength": seed % 97 / 97, "confidence": 0.9, "severity": incident})
    done = engine.process(json.loads(state), rows, snapshots="every", contracts="every")
    state = done["state"]
    if turn == 40:
        state = engine.reset(json.loads(state), "last_stable")
    views = [done, engine.memory(json.loads(state)), engine.explanation(json.loads(state)), state]
    digest.update(json.dumps(views, sort_keys=True).encode())
print(digest.hexdigest())
"""


class Refused(Exception):
    """The sources cannot be frozen, or a release is not what it was."""


def frozen(source: Path, interface: Path | None = None) -> tuple[str, bytes]:
    """The version of the sources, and their zip. `interface`: a file to add as interface.py, for sources that have none."""
    match = _VERSION.search((source / "config.py").read_text())
    if match is None:
        raise Refused(f"{source / 'config.py'} names no ENGINE_VERSION")
    name = f"identity_engine_{match[1].replace('.', '_')}"
    archive = io.BytesIO()
    with ZipFile(archive, "w", ZIP_STORED) as files:
        for path, text in _modules(source, interface):
            renamed = _IMPORT.sub(rf"\g<1>{name}", text)
            _refuse_leftovers(path, renamed)
            info = ZipInfo(f"{name}/{path}", (1980, 1, 1, 0, 0, 0))
            info.external_attr = 0o644 << 16
            info.create_system = 3
            files.writestr(info, renamed)
    return match[1], archive.getvalue()


def _modules(source: Path, interface: Path | None) -> Iterator[tuple[str, str]]:
    """Relative path and text of each module, in order. Refused for a file that is none."""
    found = {}
    for path in sorted(source.rglob("*")):
        if path.is_dir() or path.parent.name == "__pycache__":
            continue
        if path.suffix != ".py" and path.name != "py.typed":
            raise Refused(f"{path} is no module: the engine is Python alone")
        found[path.relative_to(source).as_posix()] = path.read_text()
    if interface:
        found["interface.py"] = interface.read_text()
    yield from sorted(found.items())


def _refuse_leftovers(path: str, text: str) -> None:
    """Refused when a module still imports the engine by its own name: then two versions would mix."""
    if not path.endswith(".py"):
        return
    for node in ast.walk(ast.parse(text)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        if isinstance(node, ast.ImportFrom) and node.level:
            raise Refused(f"{path}, line {node.lineno}: a relative import; the engine's are absolute")
        if any(name.split(".")[0] == "identity_engine" for name in names):
            raise Refused(f"{path}, line {node.lineno}: still imports identity_engine")


def _answers(file: Path) -> str:
    """The digest of what a frozen engine answers."""
    asked = subprocess.run(  # noqa: S603 - a file of this folder
        [sys.executable, "-c", _ASK, str(file), file.stem], capture_output=True, text=True
    )
    if asked.returncode:
        raise Refused(f"{file.name} cannot be run: {asked.stderr.strip().splitlines()[-1]}")
    return asked.stdout.strip()


def _read(folder: Path) -> dict[str, dict[str, str]]:
    path = folder / "releases.json"
    return dict(json.loads(path.read_text())) if path.exists() else {}


def freeze(source: Path, interface: Path | None, folder: Path) -> str:
    """Freeze the sources into `folder`; what was done, in a sentence. Refused when their version has other bytes already."""
    version, data = frozen(source, interface)
    releases, digest = _read(folder), sha256(data).hexdigest()
    if releases.get(version, {"sha256": digest})["sha256"] != digest:
        raise Refused(f"{version} is released, and these sources differ from it: raise ENGINE_VERSION first")
    if version in releases:
        return f"{version} is frozen already, from these sources"
    file = folder / "releases" / f"identity_engine_{version.replace('.', '_')}.zip"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    releases[version] = {"sha256": digest, "answers": _answers(file)}
    (folder / "releases.json").write_text(json.dumps(releases, indent=1, sort_keys=True) + "\n")
    return f"{version} frozen: {file.name}, {len(data)} bytes, {digest}"


def check(folder: Path, source: Path) -> list[str]:
    """Check each release of a folder, and that the sources are not a changed release. What was checked; Refused otherwise."""
    version, data = frozen(source)
    checked = []
    for released, entry in _read(folder).items():
        file = folder / "releases" / f"identity_engine_{released.replace('.', '_')}.zip"
        if sha256(file.read_bytes()).hexdigest() != entry["sha256"]:
            raise Refused(f"{file.name} is not the file that was released as {released}")
        if _answers(file) != entry["answers"]:
            raise Refused(f"{released} answers otherwise than when it was frozen")
        if released == version and sha256(data).hexdigest() != entry["sha256"]:
            raise Refused(f"the sources differ from the released {version}: raise ENGINE_VERSION, or take the change back")
        checked.append(f"{released}: bytes and answers as they were released")
    return checked


def _uncommitted(source: Path) -> str:
    command = ["git", "-C", str(source), "status", "--porcelain", "--", "."]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603


def main() -> int:
    """Freeze, or check what is frozen."""
    parser = argparse.ArgumentParser(description="freeze the engine under its version, or check the frozen ones")
    parser.add_argument("--check", action="store_true", help="check the frozen releases instead")
    parser.add_argument("--source", type=Path, default=SOURCE, metavar="DIR", help="sources of an engine (default: this one)")
    parser.add_argument("--interface", type=Path, metavar="FILE", help="interface.py for sources that have none")
    parser.add_argument("--to", type=Path, default=HERE, metavar="DIR", help="folder of releases.json (default: engine)")
    options = parser.parse_args()
    try:
        if options.check:
            print("\n".join(check(options.to, options.source)) or "nothing is frozen yet")
        elif options.source == SOURCE and _uncommitted(SOURCE):
            raise Refused("the engine has changes that are not committed: a release is a commit")
        else:
            print(freeze(options.source, options.interface, options.to))
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
