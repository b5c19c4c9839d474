"""`make e2e`: the template's functions in Lambda containers, served by `sam local start-api`, with DynamoDB Local behind.

Builds, calls every endpoint over HTTP with valid and invalid keys, then runs each file of events/ with `sam local invoke`.
Prints one line per check; exit code 1 when a check failed. Skips with a notice without a container engine or Java.
"""

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from cli.main import main as identity_os
from identity_service.keys import new_key
from identity_service.store import accounts
from local import dynamodb, template
from tests.conftest import lambda_event

ROOT = template.ROOT
SAM = ROOT / ".venv-sam" / "bin"
ARCHITECTURE = {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")
OBSERVATION = {"mode_target": "STRESS_RESPONSE", "signal_strength": 0.9}

failures = 0


def main() -> int:
    """Run everything and return the exit code."""
    engine = _engine()
    if engine is None:
        return _skip("no container engine is running (Docker, or podman with DOCKER_HOST set to its socket)")
    if shutil.which("java") is None:
        return _skip("DynamoDB Local needs Java")
    runtime, pulling = _runtime()
    host = "host.containers.internal" if engine == "podman" else "host.docker.internal"
    print(f"engine {engine}, {runtime} on {ARCHITECTURE}", flush=True)
    build = ["make", "--no-print-directory", "build", f"RUNTIME={runtime}", f"ARCHITECTURE={ARCHITECTURE}"]
    subprocess.run(build, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory() as folder, _table(Path(folder)) as endpoint:
        overrides = f"Runtime={runtime} Architecture={ARCHITECTURE} DynamoDBEndpoint={endpoint.replace('127.0.0.1', host)}"
        options = ["--parameter-overrides", overrides, *([] if pulling else ["--skip-pull-image"])]
        if engine == "docker":
            options += ["--add-host", f"{host}:host-gateway"]
        with _api(options, Path(folder)) as base:
            _over_http(base)
        _events(options, Path(folder))
    print(f"e2e: {failures} failed" if failures else "e2e: all passed")
    return 1 if failures else 0


def _skip(why: str) -> int:
    print("*" * 100, f"e2e SKIPPED: {why}. Nothing was checked.", "*" * 100, sep="\n")
    return 0


def _engine() -> str | None:
    """The running container engine: docker, podman or None. Detected as SAM CLI detects it."""
    ask = "import docker; print(docker.from_env().version()['Components'][0]['Name'].lower())"
    done = subprocess.run([SAM / "python", "-c", ask], capture_output=True, text=True)
    if done.returncode:
        return None
    return "podman" if "podman" in done.stdout else "docker"


def _runtime() -> tuple[str, bool]:
    """The functions' Python version, and whether to pull its image. The template's, unless only another image exists."""
    parameter = template.load()["Parameters"]["Runtime"]
    ask = "import docker; print('\\n'.join(tag for image in docker.from_env().images.list() for tag in image.tags))"
    tags = subprocess.run([SAM / "python", "-c", ask], capture_output=True, text=True, check=True).stdout.split()
    for runtime in (parameter["Default"], *reversed(parameter["AllowedValues"])):
        if f"public.ecr.aws/lambda/python:{runtime.removeprefix('python')}-{ARCHITECTURE}" in tags:
            return runtime, False
    return parameter["Default"], True


@contextmanager
def _table(folder: Path) -> Iterator[str]:
    """DynamoDB Local with an empty table and the purge on its stream; yields its address."""
    dynamodb.DATA = folder
    # SAM CLI resolves !Ref Table to the resource's own name.
    os.environ["IDENTITY_OS_TABLE"] = "Table"
    # A container reaches this machine by an address of its network, not by 127.0.0.1.
    os.environ.setdefault("DYNAMODB_HOST", "0.0.0.0")
    with dynamodb.running("local"):
        yield os.environ["AWS_ENDPOINT_URL"]


@contextmanager
def _api(options: list[str], folder: Path) -> Iterator[str]:
    """A running `sam local start-api`; yields its base URL."""
    port = dynamodb.free_port(8000)
    command = [SAM / "sam", "local", "start-api", "--port", str(port), "--warm-containers", "LAZY", *options]
    log = folder / "start-api.log"
    with log.open("w") as out:
        child = subprocess.Popen(command, cwd=ROOT, env=_environment(), stdout=out, stderr=out, start_new_session=True)
    base = f"http://127.0.0.1:{port}/v1"
    try:
        for _ in range(600):
            try:
                httpx.get(f"{base}/health", timeout=120)
                break
            except httpx.TransportError:
                time.sleep(0.2)
                if child.poll() is not None:
                    raise SystemExit(f"sam local start-api stopped:\n{log.read_text()}") from None
        yield base
    finally:
        if failures:
            print(log.read_text()[-20_000:])
        os.killpg(child.pid, signal.SIGINT)
        try:
            child.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)


def _environment() -> dict[str, str]:
    """The environment for SAM CLI, whose own variables would override those of the functions."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_ENDPOINT_URL")}


def _over_http(base: str) -> None:
    account = _command("accounts", "create", "e2e", "--plan", "pro")
    key = _command("keys", "create", account, "--name", "e2e")
    submitted = json.loads(lambda_event("testing_submit")["body"])
    with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {key}"}, timeout=120) as client:
        created = client.post("/instances", json={"name": "Aria"})
        _check("POST /instances", created.status_code, 201)
        at = f"/instances/{created.json()['data']['id']}"
        for verb, path, body in (
            ("GET", "/health", None),
            ("GET", "/instances", None),
            ("GET", at, None),
            ("PATCH", at, {"name": "Ada"}),
            ("POST", f"{at}/process", OBSERVATION),
            ("POST", f"{at}/process/batch", {"observations": [OBSERVATION] * 3}),
            ("POST", f"{at}/simulate", OBSERVATION),
            ("POST", f"{at}/goals/assess", {"complexity": "high"}),
            ("GET", f"{at}/snapshot", None),
            ("GET", f"{at}/contract?explain=true", None),
            ("GET", f"{at}/history", None),
            ("GET", f"{at}/timeline", None),
            ("GET", f"{at}/drift", None),
            ("POST", f"{at}/reset", {"mode": "initial"}),
            ("GET", "/test/questions", None),
            ("POST", "/test/submit", submitted),
            ("GET", "/personas", None),
            ("GET", f"/personas/{client.get('/personas').json()['data'][0]['id']}", None),
        ):
            response = client.request(verb, path, json=body)
            _check(f"{verb} {path}", response.status_code, 200, "data" in response.json())
        head = client.head(at)
        _check(f"HEAD {at}", head.status_code, 200, head.content == b"")
        lower = httpx.get(f"{base}/personas", headers={"Authorization": f"bearer {key}"}, timeout=120)
        _check("a lower-case bearer", lower.status_code, 200)
        cycles = client.get(at).json()["data"]["cycle_count"]
        _check("4 observations count as 4 cycles", cycles, 4)
        _check(f"DELETE {at}", client.delete(at).status_code, 200)
        _check("GET a deleted instance", client.get(at).status_code, 404, shaped(client.get(at)))
        bad = client.post("/instances", json={"name": "Aria", "colour": "red"})
        _check("an unknown field", bad.status_code, 400, shaped(bad))
        wrong = client.put("/instances", json={})
        _check("an unsupported method", wrong.status_code, 405, shaped(wrong))
        _check("an unknown route", client.get("/nothing").status_code, 403, by_sam=True)
    for what, headers, status in (
        ("no key", {}, 401),
        ("a malformed key", {"Authorization": "Bearer idos_sk_nonsense"}, 401),
        ("a key with a typo", {"Authorization": f"Bearer {key[:-1]}{'0' if key[-1] != '0' else '1'}"}, 502),
        ("an unknown key", {"Authorization": f"Bearer {new_key()}"}, 502),
    ):
        refused = httpx.get(f"{base}/instances", headers=headers, timeout=120)
        _check(what, refused.status_code, status, by_sam=True)
        _check(f"{what}: health works", httpx.get(f"{base}/health", headers=headers, timeout=120).status_code, 200)
    (listed,) = accounts.list_keys(account)
    _command("keys", "revoke", account, listed["id"])
    refused = httpx.get(f"{base}/instances", headers={"Authorization": f"Bearer {key}"}, timeout=120)
    _check("a revoked key", refused.status_code, 502, by_sam=True)


def shaped(response: httpx.Response) -> bool:
    """Whether an error has the API's format."""
    return {"error", "message", "details"} <= set(response.json())


def _events(options: list[str], folder: Path) -> None:
    account = _command("accounts", "create", "events", "--plan", "pro")
    key = _command("keys", "create", account, "--name", "events")
    from identity_service.clock import now
    from identity_service.engines import birth
    from identity_service.store import instances
    from identity_service.store.audit_trail import Actor

    new = instances.new(account, "Aria", "", birth(), now(), Actor("e2e"))
    instances.create(new, limit=None)
    instance = new.head.id
    functions = {
        resource["Properties"]["CodeUri"].split("/")[1]: name
        for name, resource in template.load()["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    names = sorted(path.stem for path in (ROOT / "events").glob("*.json") if path.stem not in ELSEWHERE)
    print(f"      not invoked, since they need queues or keys of AWS: {', '.join(sorted(ELSEWHERE))}")
    names.sort(key="instances_delete".__eq__)  # last
    for name in names:
        event = lambda_event(name, account, instance_id=instance)
        if name == "authorizer":
            event["authorizationToken"] = f"Bearer {key}"
        path = folder / "event.json"
        path.write_text(json.dumps(event))
        command = [SAM / "sam", "local", "invoke", functions[name.split("_")[0]], "--event", path, *options]
        done = subprocess.run(command, cwd=ROOT, env=_environment(), capture_output=True, text=True)
        response = next((json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")), {})
        if name == "authorizer":
            found, expected = response.get("principalId"), account
        elif name == "purge":
            found, expected = response.get("batchItemFailures"), []
        else:
            found, expected = response.get("statusCode"), EXPECTED.get(name, 200)
        _check(f"sam local invoke {functions[name.split('_')[0]]} -e events/{name}.json", found, expected)
        if found != expected:
            print(done.stdout[-2000:], done.stderr[-3000:])


#: Statuses other than 200. One engine is deployed, so there is nothing to upgrade to; there is no webhook with the events' id.
EXPECTED = {
    "instances_create": 201,
    "instances_fork": 201,
    "instances_upgrade": 400,
    **dict.fromkeys(("webhooks_get", "webhooks_update", "webhooks_delete", "webhooks_deliveries"), 404),
}
#: What seals secrets or fills queues has tests of its own, over the same functions (tests/api, tests/reliability).
ELSEWHERE = {"fanout", "deliver", "webhooks_create", "webhooks_rotate", "webhooks_test", "webhooks_redeliver"}


def _command(*words: str) -> str:
    """The output of an `identity-os` command."""
    from contextlib import redirect_stderr, redirect_stdout
    from io import StringIO

    out = StringIO()
    with redirect_stdout(out), redirect_stderr(StringIO()):
        code = identity_os(["--endpoint", os.environ["AWS_ENDPOINT_URL"], *words])
    assert code == 0, words
    return out.getvalue().strip()


def _check(what: str, found: object, expected: object, shape: bool = True, *, by_sam: bool = False) -> None:
    global failures
    right = found == expected and shape
    failures += not right
    note = " (SAM CLI's own response)" if by_sam else ""
    note += "" if right else f": expected {expected}" + ("" if shape else " and the API's error format")
    print(f"{'ok  ' if right else 'FAIL'}  {what:<90} {found}{note}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
