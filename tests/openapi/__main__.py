"""`make test-openapi`: docs/openapi.json, tried with tools and clients that nobody here wrote.

Three validators must find nothing. Two generators make a client each, and the clients, unmodified, drive a running server.
Prints a line for each step; exit code 1 when one failed. The tools are in .venv-openapi.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shutil import copy

from local import template
from tests.serving import serving

HERE = Path(__file__).parent
DOCUMENT = template.ROOT / "docs" / "openapi.json"
PYTHON = template.ROOT / ".venv-openapi" / "bin"
NODE = template.ROOT / ".venv-openapi" / "node" / "node_modules" / ".bin"
#: Strictly checked, and emitted as CommonJS, which Node runs as it is.
TSC = ("--strict", "--target", "es2022", "--lib", "es2022,dom,dom.iterable", "--module", "commonjs", "--outDir", "built")

Step = tuple[str, tuple[str | Path, ...]]


def steps(folder: Path, url: str) -> Iterator[Step]:
    """What is run, in order, in `folder`. The validators first: a client of a wrong document says little."""
    yield "openapi-spec-validator", (PYTHON / "openapi-spec-validator", DOCUMENT)
    yield "redocly lint", (NODE / "redocly", "lint", DOCUMENT, "--config", HERE / "redocly.yaml")
    ruleset = HERE / "spectral.yaml"
    yield "spectral lint", (NODE / "spectral", "lint", DOCUMENT, "--ruleset", ruleset, "--fail-severity", "hint")
    generate = ("generate", "--path", DOCUMENT, "--output-path", folder / "python", "--fail-on-warning")
    yield "openapi-python-client generates", (PYTHON / "openapi-python-client", *generate)
    yield "  its client drives the server", (PYTHON / "python", HERE / "client_python.py", url)
    yield "@hey-api/openapi-ts generates", (NODE / "openapi-ts", "--input", DOCUMENT, "--output", folder / "generated")
    yield "  its client and our use of it compile", (NODE / "tsc", "client_typescript.ts", *TSC)
    yield "  its client drives the server", ("node", "built/client_typescript.js", url)


def main() -> int:
    """Run everything and return the exit code."""
    failed = []
    with tempfile.TemporaryDirectory() as name, serving("embedded") as (url, keys):
        folder = Path(name)
        copy(HERE / "client_typescript.ts", folder)
        environment = os.environ | {
            "PATH": f"{PYTHON}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(folder / "python"),
            "IDENTITY_OS_API_KEY": keys["enterprise"],
            "REDOCLY_TELEMETRY": "off",
            "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true",
        }
        for what, command in steps(folder, url.removesuffix("/v1")):
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
            print(f"{'FAIL' if done.returncode else 'ok  '}  {what}", flush=True)
            if done.returncode:
                failed.append(what.strip())
                print(done.stdout[-6000:], done.stderr[-6000:], flush=True)
    print(f"\nFAILED: {', '.join(failed)}" if failed else "\nthe document and its clients are sound")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
