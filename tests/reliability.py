"""`make reliability`: tests the guarantees of docs/reliability.md.

SOAK=seconds of the soak test (60), KILLS=kills of a server that delivers events (6), SEED to repeat a run.

`python -m tests.reliability bad_input` runs only one section.
"""

import logging
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from identity_service import audit
from identity_service.store import instances
from local import dynamodb, template
from local.edge import Edge
from tests.bad_input.fuzz import OBSERVATION, fuzz
from tests.conftest import Caller
from tests.events import killed, schedules
from tests.faults import machine
from tests.integration import run as integration
from tests.serving import serving

Rows = Iterator[tuple[str, str]]
SCHEMATHESIS = template.ROOT / ".venv-schemathesis" / "bin" / "st"


def faults(seed: int) -> Rows:
    """Random fault schedules on the embedded table, compared with the model."""
    with machine.running() as world:
        machine.play(runs=80, seed=seed)
    seen, met = machine.figures, world.client.met
    assert seen["fault schedules"] >= 500, seen["fault schedules"]
    killed = sum(count for kind, count in met.items() if kind.startswith("killed"))
    late = sum(count for kind, count in met.items() if kind.startswith("arrived"))
    yield "fault schedules", f"{seen['fault schedules']} on {seen['requests']} requests, {seen['runs']} runs"
    yield "faults met", f"{sum(met.values()) - late}, of them {killed} kills; {late} writes arrived late"
    yield "replayed responses", f"{seen['replayed responses']}, after the first response was lost"
    yield "cycles given back", f"{seen['cycles given back by usage check']} by usage check, {seen['cycles']} processed"
    yield "lost, doubled", f"{seen['lost']}, {seen['doubled']}"


def damage(seed: int) -> Rows:
    """Exports with one defect each."""
    chance, found = random.Random(seed), 0
    with dynamodb.running("embedded"):
        caller = Caller(Edge(), "enterprise")
        one = caller.new_instance()
        for number in range(30):
            kind = "reset" if number % 7 == 6 else "process"
            body: dict[str, Any] = {"mode": "initial"} if kind == "reset" else OBSERVATION | {"signal_strength": number / 30}
            assert caller.post(f"/instances/{one}/{kind}", json=body).status_code == 200
        head = instances.get(caller.account_id, one)
        assert head is not None
        whole = list(audit.export(head))
    assert audit.verify_export(whole)[1].verified
    for number in range(1000):
        lines, at = list(whole), chance.randrange(1, len(whole))
        match number % 4:
            case 0:
                position = chance.randrange(len(lines[at]))
                other = chance.choice([c for c in '019azAZ"{}:,. ' if c != lines[at][position]])
                lines[at] = lines[at][:position] + other + lines[at][position + 1 :]
            case 1:
                del lines[at]
            case 2:
                lines = lines[:at]
            case 3:
                at = min(at, len(whole) - 2)
                lines[at], lines[at + 1] = lines[at + 1], lines[at]
        verdict = audit.verify_export(lines)[1]
        assert verdict.mismatch, (at, number)
        assert verdict.mismatch.record == at, (verdict, at)
        found += 1
    yield "damaged audit trails", f"1000 changed, dropped, truncated or swapped: {found} detected, with the first bad record"


def bad_input(seed: int) -> Rows:
    """The fuzzer of bodies, headers and paths."""
    with dynamodb.running("embedded"):
        edge = Edge()
        seen = fuzz(Caller(edge, "enterprise"), edge, 5000, seed)
    refused = sum(count for name, count in seen.items() if re.match("answered 4", name))
    yield (
        "bad inputs",
        f"{seen['inputs']}: {refused} rejected, 0 answered 5xx, {seen['accepted and processed']} stored completely",
    )


def schemathesis(seed: int) -> Rows:
    """The committed OpenAPI document against a running server, with all checks of schemathesis."""
    if not SCHEMATHESIS.exists():
        raise RuntimeError("run make reliability, which installs schemathesis")
    with tempfile.TemporaryDirectory() as folder, serving("embedded") as (url, keys):
        config, document = template.ROOT / "schemathesis.toml", template.ROOT / "docs/openapi.json"
        command = [
            *(SCHEMATHESIS, "--config-file", config, "run", document),
            *("--url", url.removesuffix("/v1"), "--header", f"Authorization: Bearer {keys['enterprise']}"),
            *("--checks", "all", "--max-examples", "100", "--seed", str(seed), "--no-shrink", "--warnings", "off"),
        ]
        hooks = os.environ | {"SCHEMATHESIS_HOOKS": "tests.bad_input.schemathesis_hooks", "PYTHONPATH": str(template.ROOT)}
        done = subprocess.run(command, cwd=folder, env=hooks, capture_output=True, text=True)
    counted = re.search(r"(\d+) generated", done.stdout)
    assert counted, done.stderr
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert int(counted[1]) > 2000, counted[0]
    yield "schemathesis, all checks", f"{counted[1]} cases, 0 failures"


def events(seed: int) -> Rows:
    """Events: random schedules of failure from a request to a receiver, compared with a model."""
    logging.disable()  # every failure is logged, and is meant
    seen = schedules.play(runs=40, seed=seed)
    logging.disable(logging.NOTSET)
    assert seen["arrived"] > 100, seen
    assert seen["lost"] == seen["of failed requests"] == 0, seen
    refused = sum(seen[f"answered {kind}"] for kind in (500, 302, "reset"))
    yield "requests", f"{seen['requests']}, {seen['requests without effect']} of them without effect"
    yield "functions killed", f"{seen['functions killed']} between two steps; {seen['faults met']} faults of the table"
    yield "receivers and DNS", f"{refused} bad answers; {seen['names with a private address']} names led inside, 0 connections"
    yield (
        "events",
        f"{seen['arrived']} arrived and verified, {seen['arrived more than once']} again, {seen['given up']} given up",
    )
    yield "lost, of failed requests", f"{seen['lost']}, {seen['of failed requests']}"


def events_killed(seed: int) -> Rows:
    """Events: a server on DynamoDB Local that is killed at any moment and started again."""
    seen = killed.play(kills=int(os.environ.get("KILLS", "6")), seed=seed)
    yield "servers killed", str(seen["servers killed"])
    yield "events", f"{seen['events']} expected, {seen['arrived more than once']} arrived more than once"
    yield "lost, of nothing", f"{seen['lost']}, {seen['of nothing']}"
    assert seen["lost"] == seen["of nothing"] == 0, seen


def real_engine(seed: int) -> Rows:
    """Races and a soak test on DynamoDB Local, with four server processes."""
    seconds = float(os.environ.get("SOAK", "60"))
    with integration.table() as (endpoint, folder):
        yield from integration.races(endpoint, folder)
        seen = integration.soaked(endpoint, folder, seconds, seed)
    yield f"soak of {seconds:.0f} s", f"{seen['requests']} requests, {seen['cycles']} cycles, {seen['calls of DynamoDB']} calls"
    yield "its faults", f"{seen['faults']}, of them {seen['killed']} servers killed; {seen.get('409', 0)} conflicts"
    yield "its 503, retried", f"{seen.get('503', 0)}, {seen['retries']}; {seen['replayed']} replayed"
    yield "its lost, doubled", f"{seen['lost']}, {seen['doubled']}"
    assert sum(seen[name] for name in ("lost", "doubled", "unexpected")) == 0, seen


def main() -> int:
    """Print the table and return the exit code."""
    seed = int(os.environ.get("SEED", random.randrange(10**6)))
    print(f"SEED={seed}", flush=True)
    sections: list[Callable[[int], Rows]] = [faults, damage, bad_input, schemathesis, events, events_killed, real_engine]
    failed = []
    chosen = [section for section in sections if section.__name__ in sys.argv[1:]] or sections
    for section in chosen:
        print(f"\n{(section.__doc__ or '').strip()}", flush=True)
        if section in (real_engine, events_killed) and shutil.which("java") is None:
            print("  SKIPPED: needs Java 17; nothing was run on DynamoDB Local")
            continue
        try:
            for name, seen in section(seed):
                print(f"  {name:<26} {seen}", flush=True)
        except Exception:
            traceback.print_exc()
            failed.append(section.__name__)
    print(f"\nFAILED: {', '.join(failed)}" if failed else "\nall guarantees held")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
