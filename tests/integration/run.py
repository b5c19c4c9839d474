"""Starts DynamoDB Local and four servers, and runs the races and the soak test on them."""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local import dynamodb, template
from tests.integration.proxy import Proxy
from tests.integration.races import RACES
from tests.integration.servers import serving
from tests.integration.soak import soak

OWN_PROCESS = "tests/integration/test_dynamodb_local.py"
SUITES = ("tests/api/test_idempotency.py", "tests/api/test_audit.py", "tests/api/test_reconcile.py", "tests/faults")


@contextmanager
def table() -> Iterator[tuple[str, Path]]:
    """DynamoDB Local in a temporary folder; yields its address and the folder. This process uses it too."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with dynamodb.java(folder / "dynamodb") as endpoint:
            os.environ.setdefault("AWS_ACCESS_KEY_ID", "local")
            os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "local")
            os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
            dynamodb.use(endpoint)
            yield endpoint, folder


def races(endpoint: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Every race with its summary, then how DynamoDB Local starts and ends. AssertionError when a guarantee is violated."""
    with serving(endpoint, folder) as servers:
        for race in RACES:
            yield race.__name__.replace("_", " "), race(servers)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", OWN_PROCESS]
    done = subprocess.run(command, cwd=template.ROOT, capture_output=True, text=True)
    summary = done.stdout.strip().splitlines()[-1:]
    assert done.returncode == 0, done.stdout
    assert "skipped" not in summary[0], summary
    yield "DynamoDB Local as a child", summary[0]


def soaked(endpoint: str, folder: Path, seconds: float, seed: int) -> dict[str, int]:
    """The figures of the soak test; only the servers' connections to DynamoDB go through the proxy."""
    proxy = Proxy(int(endpoint.rpartition(":")[2]), rate=0, seed=seed)
    with proxy.running() as address, serving(address, folder) as servers:
        proxy.rate = 5
        figures = soak(servers, proxy, seconds, seed)
    faults = {f"fault: {kind}": count for kind, count in proxy.met.items() if kind != "passed"}
    return {**figures, **faults, "faults": sum(faults.values()) + servers.killed, "calls of DynamoDB": sum(proxy.met.values())}


def main() -> int:
    """Run everything and return the exit code."""
    if shutil.which("java") is None:
        print("SKIPPED: make integration needs Java 17; nothing was run on DynamoDB Local")
        return 0
    seconds, seed = float(os.environ.get("SOAK", "120")), int(os.environ.get("SEED", random.randrange(10**6)))
    print(f"SEED={seed} SOAK={seconds:.0f}", flush=True)
    with table() as (endpoint, folder):
        try:
            for name, seen in races(endpoint, folder):
                print(f"  {name:<26} {seen}", flush=True)
            suites = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *SUITES]
            environment = os.environ | {"TEST_DYNAMODB": endpoint}
            if subprocess.run(suites, cwd=template.ROOT, env=environment).returncode:
                return 1
            figures = soaked(endpoint, folder, seconds, seed)
        except AssertionError:
            traceback.print_exc()
            return 1
    for name, value in sorted(figures.items()):
        print(f"  {value:>8}  {name}")
    return 1 if figures["lost"] or figures["doubled"] or figures["unexpected"] else 0
