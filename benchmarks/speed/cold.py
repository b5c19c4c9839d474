"""Cold starts in fresh processes: import and first request of each function, against importing the same packages the plain way.

Under the Lambda runtime interface emulator, which ships inside aws-sam-cli, the same with Lambda's own bootstrap around it.
"""

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.speed.story import Story, recorded, told
from benchmarks.speed.stub import Calls
from benchmarks.speed.table import Row
from local.dynamodb import free_port

ROOT = Path(__file__).parents[2]
#: The request that each function answers first; purge has none, it reads the table's stream.
FIRST = {
    "engine": ("engine_process", "POST", "/process", {"mode_target": "ORDER", "signal_strength": 0.6}),
    "instances": ("instances_get", "GET", "", None),
    "personas": ("personas_list", "GET", "/personas", None),
    "testing": ("testing_questions", "GET", "/test/questions", None),
    "health": ("health", "GET", "/health", None),
    "authorizer": ("authorizer", "", "", None),
}
PLAIN = """
import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from fastapi import FastAPI
from mangum import Mangum
from pydantic import BaseModel
client, logger, metrics, tracer = boto3.client("dynamodb"), Logger(), Metrics(), Tracer()
app = FastAPI()
class Observation(BaseModel):
    mode_target: str
    signal_strength: float
@app.post("/v1/instances/{instance_id}/process")
async def process(instance_id: str, observation: Observation):
    return {"data": observation}
mangum = Mangum(app, lifespan="off")
def handler(event, context):
    import asyncio
    asyncio.set_event_loop(asyncio.new_event_loop())
    return {"statusCode": 200}
"""
OURS = """
import importlib, json, os
os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"  # as template.yaml has it
told = json.load(open(os.environ["STORY"]))
module = importlib.import_module("functions." + os.environ["FUNCTION"] + ".app")
if told["calls"]:
    from identity_service.store import table
    from benchmarks.speed.stub import stub
    stub(table.client(), told["calls"])
def handler(event, context):
    answer = module.handler(told["event"], context)
    assert answer.get("statusCode", 200) == 200, answer
    return {"statusCode": 200}
"""
#: What the layers hold.
_LAYERS = (
    "identity_engine", "identity_service", "annotated_doc", "annotated_types", "anyio", "aws_lambda_powertools", "fastapi",
    "idna", "mangum", "pydantic", "pydantic_core", "starlette", "typing_extensions", "typing_inspection",
)  # fmt: skip
_TIMED = "import time; start = time.perf_counter()\n{}\nhandler({{}}, None)\nprint(time.perf_counter() - start)"


def rows(rounds: int = 7) -> list[Row]:
    """Every function, in processes and, where it is installed, under the emulator."""
    found = []
    with tempfile.TemporaryDirectory() as folder, told() as story:
        stories = {name: _write(Path(folder) / f"{name}.json", story, name) for name in FIRST}
        for name, path in stories.items():
            ours, plain = _pairs(lambda: _process(OURS, name, path), lambda: _process(PLAIN, name, path), rounds)  # noqa: B023
            ratio = statistics.median(one / other for one, other in zip(ours, plain, strict=True))
            budget = 0.65 if name == "engine" else None
            how = f"{min(ours) * 1000:.0f} ms / {min(plain) * 1000:.0f} ms"
            found.append(Row(f"cold start: {name}, import and first request / plain imports", ratio, budget, "x", how))
        sources = _sources(Path(folder) / "sources")
        bytecode = _pairs(
            lambda: _process(OURS, "engine", stories["engine"], sources),
            lambda: _process(OURS, "engine", stories["engine"]),
            3,
        )
        ratio = statistics.median(one / other for one, other in zip(*bytecode, strict=True))
        how = f"{min(bytecode[0]) * 1000:.0f} ms / {min(bytecode[1]) * 1000:.0f} ms"
        found.append(Row("cold start: engine, layers without bytecode / with it", ratio, None, "x", how))
        found += _emulated(Path(folder), stories["engine"], rounds)
    return found


def _write(path: Path, story: Story, function: str) -> Path:
    event, method, tail, body = FIRST[function]
    calls: Calls = []
    if function == "authorizer":
        story.caller.edge._known.clear()
        calls = recorded(lambda: story.caller.get("/personas"))
    elif function != "health":
        where = tail if function in ("personas", "testing") else f"/instances/{story.instance}{tail}"
        calls = recorded(lambda: story.caller.client.request(method, where, json=body))
    path.write_text(json.dumps({"event": story.event(event), "calls": calls}))
    return path


def _sources(folder: Path) -> Path:
    """The layers' packages without their bytecode; Python's own and botocore come with theirs, in Lambda as here."""
    for name in _LAYERS:
        origin = find_spec(name)
        assert origin is not None
        assert origin.origin is not None
        where = Path(origin.origin)
        if where.name == "__init__.py":
            shutil.copytree(where.parent, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(where, folder / where.name)
    return folder


def _environment(function: str, story: Path, sources: Path | None = None) -> dict[str, str]:
    paths = (*([sources] if sources else []), ROOT, ROOT / "engine", ROOT / "layers/service")
    set_here = {
        "FUNCTION": function,
        "STORY": str(story),
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "POWERTOOLS_SERVICE_NAME": "bench",
        "POWERTOOLS_METRICS_NAMESPACE": "bench",
        "PYDANTIC_DISABLE_PLUGINS": "__all__",  # as template.yaml has it
        "LAMBDA_TASK_ROOT": str(ROOT),  # else Tracer believes that it is not in Lambda, and does nothing
    }
    if sources:
        set_here["PYTHONDONTWRITEBYTECODE"] = "1"
    return os.environ | set_here


def _process(code: str, function: str, story: Path, sources: Path | None = None) -> float:
    """Seconds from the first import to the first answer."""
    done = subprocess.run(
        [sys.executable, "-c", _TIMED.format(code)],
        env=_environment(function, story, sources), cwd=story.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr)
    return float(done.stdout.splitlines()[-1])


def _pairs(one: Any, other: Any, rounds: int) -> tuple[list[float], list[float]]:
    one(), other()
    pairs = [(one(), other()) for _ in range(rounds)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def _emulated(folder: Path, story: Path, rounds: int) -> list[Row]:
    what = "cold start: engine under the runtime interface emulator / plain"
    found = list(ROOT.glob(f".venv-sam/lib/python*/site-packages/samcli/local/rapid/aws-lambda-rie-{_machine()}"))
    if not found or find_spec("awslambdaric") is None:
        print(f"{what:<72} SKIPPED: needs awslambdaric (pip install -e '.[bench]') and SAM CLI (make validate installs it)")
        return []
    for name, code in (("bench_ours", OURS), ("bench_plain", PLAIN)):
        (folder / f"{name}.py").write_text(code)
    ours, plain = _pairs(
        lambda: _emulate(found[0], "bench_ours", folder, story),
        lambda: _emulate(found[0], "bench_plain", folder, story),
        rounds,
    )
    ratio = statistics.median(one / other for one, other in zip(ours, plain, strict=True))
    return [Row(what, ratio, None, "x", f"{min(ours) * 1000:.0f} ms / {min(plain) * 1000:.0f} ms")]


def _machine() -> str:
    return "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"


def _emulate(emulator: Path, module: str, folder: Path, story: Path) -> float:
    """Seconds from the emulator's start to the first answer."""
    emulator.chmod(emulator.stat().st_mode | 0o111)
    port, api = free_port(0), free_port(0)
    environment = _environment("engine", story)
    environment["PYTHONPATH"] += os.pathsep + str(folder)
    environment["AWS_LAMBDA_FUNCTION_NAME"] = "bench"
    command = [
        emulator, "--runtime-interface-emulator-address", f"127.0.0.1:{port}", "--runtime-api-address", f"127.0.0.1:{api}",
        sys.executable, "-m", "awslambdaric", f"{module}.handler",
    ]  # fmt: skip
    start = time.perf_counter()
    process = subprocess.Popen(
        command, env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        while time.perf_counter() - start < 30:
            with suppress(urllib.error.URLError, ConnectionError):
                request = f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"
                with urllib.request.urlopen(request, data=b"{}", timeout=30) as answer:
                    if json.load(answer).get("statusCode") != 200:
                        raise RuntimeError(f"{module} failed under the emulator")
                return time.perf_counter() - start
            time.sleep(0.005)
        raise RuntimeError("the emulator does not answer")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()
