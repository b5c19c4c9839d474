"""Sizes: what `make build` made for Lambda, modules that a cold start imports, the state over cycles, the embedded table's."""

import gc
import os
import re
import subprocess
import sys
import tempfile
import tracemalloc
import zipfile
from itertools import islice
from pathlib import Path
from random import Random

from benchmarks.speed.story import observation, told
from benchmarks.speed.table import Row
from identity_engine import Observation, birth, encode, process
from identity_service.settings import settings
from local.moto_fixes import stream_records

ROOT = Path(__file__).parents[2]
BUILD = ROOT / ".aws-sam" / "build"
#: KiB of each layer's zip at the most: what it is with bytecode, and a tenth more. The functions are one module each.
ZIPS = {"Dependencies": 10_200, "EngineLayer": 260, "ServiceLayer": 300}
#: What is built from a lock, and where its packages lie.
LOCKED = {"Dependencies": ("layers/dependencies", "python"), "Console": ("functions/console", "")}
#: What no function may import at its start: it costs more than it gives there.
UNWANTED = ("boto3", "aws_xray_sdk", "aws_lambda_powertools", "pydantic.v1")


def import_rows() -> list[Row]:
    """Modules that importing the process function and making its client brings in."""
    code = (
        "import sys; import functions.engine.app; from identity_service.store import dynamodb; dynamodb.client(); "
        f"print(len(sys.modules), sum(bool(sys.modules.get(name)) for name in {UNWANTED!r}))"
    )
    paths = os.pathsep.join(map(str, (ROOT, ROOT / "engine", ROOT / "layers/service")))
    environment = os.environ | {"PYTHONPATH": paths, "AWS_DEFAULT_REGION": "us-east-1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    modules, unwanted = map(int, done.stdout.split())
    return [
        Row("process function: modules imported", modules, 650, "modules", exact=True),
        Row("process function: modules that it must not import", unwanted, 0, "modules", ", ".join(UNWANTED), exact=True),
    ]


def state_rows(cycles: int) -> list[Row]:
    """Bytes of the state after many cycles, against the largest among the first thousand: floats differ by some digits.

    The agent begins with calm, so that it has a stable state to come back to from early on, as nearly every agent has.
    """
    random, state, early, largest = Random(1), birth(), 0, 0
    for cycle in range(1, cycles + 1):
        mode = cycle % 3 if cycle <= 200 else random.randrange(7)
        state, _ = process(state, Observation(mode, random.random(), random.random()))
        if cycle <= 1_000 or cycle == cycles:
            largest = max(largest, len(encode(state)))
        if cycle == 1_000:
            early = largest
    last = len(encode(state))
    how = f"{last:,} / {early:,} bytes"
    return [
        Row(f"state at cycle {cycles:,} / the largest of the first 1,000", last / early, 1.02, "x", how, exact=True),
        Row("  the largest", largest, 3_277, "bytes", "3.2 KB", exact=True),
    ]


def embedded_rows() -> list[Row]:
    """Memory that a process call leaves in the embedded table of `make run`."""
    calls = 500
    with told() as story:
        path = f"/instances/{story.instance}/process"
        story.caller.post(path, json=observation(0)).raise_for_status()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for number in range(calls):
            story.caller.post(path, json=observation(number)).raise_for_status()
        list(islice(stream_records(settings().table), 1))
        gc.collect()
        kept = (tracemalloc.get_traced_memory()[0] - before) / calls
        tracemalloc.stop()
    return [
        Row("embedded table: memory that a process call leaves", round(kept), 6_000, "bytes", "an item of 1.2 KB", exact=True)
    ]


def build_rows() -> list[Row]:
    """Zips of the layers, as Lambda gets them, and whether the packages in them are those that are locked."""
    if not BUILD.is_dir():
        print(f"{'sizes of the layers':<62} SKIPPED: nothing is built (make build)")
        return []
    found = []
    for name, budget in ZIPS.items():
        folder = BUILD / name
        with tempfile.TemporaryFile() as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                whole = 0
                for path in sorted(folder.rglob("*")):
                    if path.is_file():
                        archive.write(path, path.relative_to(folder))
                        whole += path.stat().st_size
            packed = file.tell()
        found.append(Row(f"{name}: zip", packed / 1024, budget, "KiB", f"{whole / 1024:,.0f} KiB unpacked", exact=True))
    for name, (folder, packages) in LOCKED.items():
        built = {path.name for path in (BUILD / name / packages).glob("*.dist-info")}
        lock = (ROOT / folder / "requirements.txt").read_text()
        wanted = {
            f"{package.replace('-', '_')}-{version}.dist-info"
            for package, version in re.findall(r"^([\w.-]+)==(\S+)", lock, re.MULTILINE)
        }
        how = f"{len(wanted)} locked"
        found.append(Row(f"{name}: packages that differ from the lock", len(built ^ wanted), 0, "packages", how, exact=True))
    return found
