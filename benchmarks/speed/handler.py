"""The process handler as Lambda calls it, against a bare handler that only makes the same three botocore calls.

The bare one has the client that `botocore.session.get_session().create_client("dynamodb")` gives; DynamoDB is a stub.
"""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import botocore.session
from fastapi import Request, Response

from benchmarks.speed.ratio import compare, fastest
from benchmarks.speed.story import observation, recorded, told
from benchmarks.speed.stub import Calls, stub
from benchmarks.speed.table import Row
from functions.engine import app as engine
from identity_service.app import create_app, lambda_handler
from identity_service.store import dynamodb as store_client
from local import template

#: Processes that measure. Each lays out its memory anew, and in some the handler is a twentieth slower: the median counts.
PROCESSES: Final = 5


def rows() -> list[Row]:
    """Handler against bare calls; what the client's settings, FastAPI and Mangum are in it."""
    command = [sys.executable, "-m", "benchmarks.speed.handler"]
    runs = [subprocess.run(command, cwd=template.ROOT, stdout=subprocess.PIPE, check=True) for _ in range(PROCESSES)]
    ratio, micro, base, leaner, lean_micro, nothing = sorted(json.loads(run.stdout) for run in runs)[PROCESSES // 2]
    return [
        Row("process handler / the same three botocore calls", ratio, 1.35, "x", f"{micro:.0f} us / {base:.0f} us"),
        Row("  the three calls with our client / with a plain one", leaner, None, "x", f"{lean_micro:.0f} us / {base:.0f} us"),
        Row("  FastAPI, Mangum and the middleware around nothing", nothing, None, "us"),
    ]


def _measured() -> tuple[float, float, float, float, float, float]:
    """In this process: ratio and microseconds of handler and bare calls, of our client and a plain one; the frame alone."""
    event, calls = _requests()[1]
    plain, lean = botocore.session.get_session().create_client("dynamodb"), store_client.client()
    for client in (plain, lean):
        stub(client, calls)

    def bare(client: Any) -> None:
        for operation, arguments, _ in calls:
            getattr(client, operation)(**arguments)

    assert engine.handler(event, None)["statusCode"] == 200
    # One by one, since requests come to a handler one by one: a loop over the same call flatters it.
    with _one_core():
        ratio, micro, base = compare(lambda: engine.handler(event, None), lambda: bare(plain), rounds=1000, inner=1)
        leaner, lean_micro, _ = compare(lambda: bare(lean), lambda: bare(plain), rounds=1000, inner=1)

    app = create_app("nothing")

    @app.post("/v1/instances/{instance_id}/process")
    async def nothing(request: Request, instance_id: str) -> Response:  # noqa: ARG001
        return Response(b"{}", media_type="application/json")

    empty = lambda_handler(app)
    return ratio, micro, base, leaner, lean_micro, fastest(lambda: empty(event, None))


def microseconds() -> dict[int, float]:
    """What the handler takes on one core for one observation and for a hundred, without DynamoDB's part."""
    found = {}
    for count, (event, calls) in _requests().items():
        store_client.client.cache_clear()
        stub(store_client.client(), calls)
        with _one_core():
            found[count] = fastest(lambda: engine.handler(event, None), inner=10)  # noqa: B023
    store_client.client.cache_clear()
    return found


def _requests() -> dict[int, tuple[dict[str, Any], Calls]]:
    """Event and calls of one observation and of a hundred."""
    hundred = {"observations": [observation(i) for i in range(100)]}
    with told() as story:
        path = f"/instances/{story.instance}/process"
        found = {
            1: (
                story.event("engine_process"),
                recorded(lambda: story.caller.post(path, json=observation(0)).raise_for_status()),
            )
        }
        batch = story.event("engine_batch") | {"body": json.dumps(hundred)}
        found[100] = (batch, recorded(lambda: story.caller.post(f"{path}/batch", json=hundred).raise_for_status()))
    store_client.client.cache_clear()
    return found


@contextmanager
def _one_core() -> Iterator[None]:
    """As Lambda has it: at 1,024 MB a function gets 0.58 of a core."""
    if not hasattr(os, "sched_setaffinity"):  # no Linux
        yield
        return
    cores = os.sched_getaffinity(0)
    _pin({max(cores)})
    try:
        yield
    finally:
        _pin(cores)


def _pin(cores: set[int]) -> None:
    for thread in Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores)


if __name__ == "__main__":
    logging.disable()
    print(json.dumps(_measured()))
