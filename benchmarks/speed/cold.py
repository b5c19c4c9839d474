"""Cold starts in fresh processes: import and first request of each function, against importing the same packages the plain way.

Both as they lie in Lambda. `make build` puts bytecode into the layers, and the functions go up as they are. The plain way is a
requirements.txt and `sam build`, which ships sources alone, and Lambda's file system takes no bytecode. Python itself and the
packages that Lambda's Python brings have theirs on both sides. Nothing else that is installed here can be imported: X-Ray's SDK
would patch each HTTP client that it finds. Under the Lambda runtime interface emulator, which ships inside aws-sam-cli, the
same with Lambda's own bootstrap around it.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from benchmarks.speed.story import Story, recorded, told
from benchmarks.speed.stub import Calls
from benchmarks.speed.table import Row
from local.dynamodb import free_port
from local.stream import deliver

ROOT = Path(__file__).parents[2]
#: The specification allows 0.65.
BUDGET = 0.6
#: What each function answers first: an event, and the request that makes its DynamoDB calls. The purge has none, but a stream.
FIRST = {
    "engine": ("engine_process", "POST", "/process", {"mode_target": "ORDER", "signal_strength": 0.6}),
    "instances": ("instances_get", "GET", "", None),
    "personas": ("personas_list", "GET", "/personas", None),
    "testing": ("testing_questions", "GET", "/test/questions", None),
    "health": ("health", "GET", "/health", None),
    "authorizer": ("authorizer", "", "", None),
    "purge": ("purge", "", "", None),
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
unpacked = lambda value: bytes.fromhex(value["hex"]) if value.keys() == {"hex"} else value
told = json.load(open(os.environ["STORY"]), object_hook=unpacked)
module = importlib.import_module("functions." + os.environ["FUNCTION"] + ".app")
if told["calls"]:
    from identity_service.store import dynamodb
    from benchmarks.speed.stub import stub
    stub(dynamodb.client(), told["calls"])
def handler(event, context):
    answer = module.handler(told["event"], context)
    assert answer.get("statusCode", 200) == 200 and not answer.get("batchItemFailures"), answer
    return {"statusCode": 200}
"""
#: What Lambda's Python brings (ours has botocore from its layer, with bytecode too), and its runtime interface client.
_GIVEN = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")
_CLIENT = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")
#: What a function has to bring, on either side.
_PACKAGES = (
    "annotated_doc", "annotated_types", "anyio", "aws_lambda_powertools", "aws_xray_sdk", "fastapi", "idna", "mangum",
    "opentelemetry", "pydantic", "pydantic_core", "starlette", "typing_extensions", "typing_inspection", "wrapt",
)  # fmt: skip
_LAYERS = ("identity_engine", "identity_service", *_PACKAGES)
_TIMED = """import time, types; start = time.perf_counter()
{}
handler({{}}, types.SimpleNamespace(get_remaining_time_in_millis=lambda: 300_000))
print(time.perf_counter() - start)
import os, sys
compiled = [name for name, module in sys.modules.items() if os.path.exists(getattr(module, "__cached__", None) or "")]
print(*{{name.partition(".")[0] for name in compiled}})
"""


def rows(rounds: int = 7) -> list[Row]:
    """Every function, in processes and, where it is installed, under the emulator."""
    found = []
    with tempfile.TemporaryDirectory() as folder, told() as story:
        _copies(Path(folder) / "given", _GIVEN, bytecode=True)
        _copies(Path(folder) / "packages", _PACKAGES, bytecode=True)
        shipped = _copies(Path(folder) / "shipped", ["functions"])
        sources = _copies(Path(folder) / "sources", _LAYERS)
        stories = {name: _write(Path(folder) / f"{name}.json", story, name) for name in FIRST}
        for name, path in stories.items():
            found.append(
                _pairs(
                    f"cold start: {name}, with first request / plain imports",
                    partial(_process, OURS, name, path, [shipped]),
                    partial(_process, PLAIN, name, path, [sources]),
                    rounds,
                    BUDGET if name == "engine" else None,
                )
            )
        engine = stories["engine"]
        given = _copies(Path(folder) / "given_sources", _GIVEN)
        found.append(
            _pairs(
                "cold start: engine / plain, Lambda's botocore without bytecode",
                partial(_process, OURS, "engine", engine, [shipped]),
                partial(_process, PLAIN, "engine", engine, [sources, given]),
                rounds,
            )
        )
        found.append(
            _pairs(
                "cold start: engine / plain, both with bytecode",
                partial(_process, OURS, "engine", engine),
                partial(_process, PLAIN, "engine", engine),
                rounds,
            )
        )
        found.append(
            _pairs(
                "cold start: engine / plain, both without bytecode",
                partial(_process, OURS, "engine", engine, [sources, shipped]),
                partial(_process, PLAIN, "engine", engine, [sources]),
                rounds,
            )
        )
        found += _emulated(Path(folder), stories, rounds, shipped, sources)
    return found


def _write(path: Path, story: Story, function: str) -> Path:
    event, method, tail, body = FIRST[function]
    calls: Calls = []
    if function == "authorizer":
        story.caller.edge._known.clear()
        calls = recorded(lambda: story.caller.get("/personas").raise_for_status())
    elif function == "purge":
        calls = recorded(lambda: deliver(story.event(event)["Records"]))
    elif function != "health":
        where = tail if function in ("personas", "testing") else f"/instances/{story.instance}{tail}"
        calls = recorded(lambda: story.caller.client.request(method, where, json=body).raise_for_status())
    path.write_text(json.dumps({"event": story.event(event), "calls": calls}, default=lambda packed: {"hex": packed.hex()}))
    return path


def _copies(folder: Path, names: Iterable[str], bytecode: bool = False) -> Path:
    """Packages and modules from where they are installed."""
    folder.mkdir()
    for name in names:
        spec = find_spec(name)
        if spec is None:
            raise RuntimeError(f"{name} is not installed: make bench installs it")
        for where in spec.submodule_search_locations or ():
            left = None if bytecode else shutil.ignore_patterns("__pycache__")
            shutil.copytree(where, folder / name, ignore=left, dirs_exist_ok=True)
        if not spec.submodule_search_locations and spec.origin:
            shutil.copy2(spec.origin, folder)
            if bytecode and spec.cached and Path(spec.cached).exists():
                (folder / "__pycache__").mkdir(exist_ok=True)
                shutil.copy2(spec.cached, folder / "__pycache__")
    return folder


def _environment(function: str, story: Path, sources: Iterable[Path] = ()) -> dict[str, str]:
    paths = (*sources, story.parent / "given", story.parent / "packages", ROOT, ROOT / "engine", ROOT / "layers/service")
    set_here = {
        "FUNCTION": function,
        "STORY": str(story),
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "POWERTOOLS_SERVICE_NAME": "bench",
        "POWERTOOLS_METRICS_NAMESPACE": "bench",
        "LAMBDA_TASK_ROOT": str(ROOT),  # else Tracer believes that it is not in Lambda, and does nothing
    }
    if sources:
        set_here["PYTHONDONTWRITEBYTECODE"] = "1"
    return os.environ | set_here


def _process(code: str, function: str, story: Path, sources: Sequence[Path] = ()) -> float:
    """Seconds from the first import to the first answer, with what is in `sources` compiled on the way."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", _TIMED.format(code)],
        env=_environment(function, story, sources), cwd=story.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr)
    seconds, compiled = done.stdout.splitlines()[-2:]
    bare = {path.stem for source in sources for path in source.iterdir()}
    if wrong := bare & set(compiled.split()):
        raise RuntimeError(f"measured with bytecode, though it is said to have none: {', '.join(sorted(wrong))}")
    return float(seconds)


def _pairs(what: str, one: Callable[[], float], other: Callable[[], float], rounds: int, budget: float | None = None) -> Row:
    one(), other()
    a, b = (min(times) for times in zip(*((one(), other()) for _ in range(rounds)), strict=True))
    return Row(what, a / b, budget, "x", f"{a * 1000:.0f} ms / {b * 1000:.0f} ms")


def _emulated(folder: Path, stories: dict[str, Path], rounds: int, shipped: Path, sources: Path) -> list[Row]:
    what = "cold start: {} / plain, under the interface emulator"
    found = list(ROOT.glob(f".venv-sam/lib/python*/site-packages/samcli/local/rapid/aws-lambda-rie-{_machine()}"))
    if not found or find_spec("awslambdaric") is None:
        needed = "needs awslambdaric (pip install -e '.[bench]') and SAM CLI (make validate installs it)"
        print(f"{what.format('each'):<72} SKIPPED: {needed}")
        return []
    _copies(folder / "client", _CLIENT, bytecode=True)
    for name, code in (("bench_ours", OURS), ("bench_plain", PLAIN)):
        (folder / f"{name}.py").write_text(code)
    return [
        _pairs(
            what.format(name),
            partial(_emulate, found[0], "bench_ours", name, path, shipped),
            partial(_emulate, found[0], "bench_plain", name, path, sources),
            rounds,
        )
        for name, path in stories.items()
    ]


def _machine() -> str:
    return "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"


def _emulate(emulator: Path, module: str, function: str, story: Path, sources: Path) -> float:
    """Seconds from the emulator's start to the first answer."""
    emulator.chmod(emulator.stat().st_mode | 0o111)
    port, api = free_port(0), free_port(0)
    environment = _environment(function, story, [sources])
    environment["PYTHONPATH"] += os.pathsep + os.pathsep.join((str(story.parent), str(story.parent / "client")))
    environment["AWS_LAMBDA_FUNCTION_NAME"] = "bench"
    command = [
        emulator, "--runtime-interface-emulator-address", f"127.0.0.1:{port}", "--runtime-api-address", f"127.0.0.1:{api}",
        sys.executable, "-S", "-m", "awslambdaric", f"{module}.handler",
    ]  # fmt: skip
    start = time.perf_counter()
    process = subprocess.Popen(
        command, env=environment, cwd=story.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
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
