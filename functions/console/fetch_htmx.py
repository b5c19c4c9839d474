"""Fetches htmx, one file of its npm package, into a folder: `python fetch_htmx.py static`. Used by builds and by `make run`.

Without npm there is no htmx, and every page works by full loads. The version and the digest of the file are named here.
"""

import shutil
import subprocess
import sys
import tarfile
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Final

VERSION: Final = "2.0.11"
SHA256: Final = "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"
NAME: Final = "htmx.min.js"


class Wrong(Exception):
    """What npm delivered is not the file that is named here."""


def fetch(folder: Path) -> bool:
    """Put the file there unless it is there; False when npm is missing or does not reach its registry. Wrong."""
    target = folder / NAME
    if target.exists() and sha256(target.read_bytes()).hexdigest() == SHA256:
        return True
    target.unlink(missing_ok=True)
    npm = shutil.which("npm")
    if npm is None:
        return False
    with tempfile.TemporaryDirectory() as name:
        command = [npm, "pack", "--silent", "--fetch-retries=0", "--fetch-timeout=10000", f"htmx.org@{VERSION}"]
        done = subprocess.run(command, cwd=name, capture_output=True, text=True)  # noqa: S603 - constants, the user's npm
        archives = list(Path(name).glob("*.tgz"))
        if done.returncode or not archives:
            return False
        with tarfile.open(archives[0]) as archive:
            member = archive.extractfile(f"package/dist/{NAME}")
            content = member.read() if member else b""
    if sha256(content).hexdigest() != SHA256:
        raise Wrong(f"htmx {VERSION} has another SHA-256 than {SHA256}")
    target.write_bytes(content)
    return True


if __name__ == "__main__":
    if not fetch(Path(sys.argv[1])):
        print(
            "NOTE: npm is missing or failed, so there is no htmx: the pages work by full loads",
            file=sys.stderr,
        )
