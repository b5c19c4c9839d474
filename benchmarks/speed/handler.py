"""The process handler as Lambda calls it, against a bare handler that only makes the same three botocore calls.

The bare one has the client that `botocore.session.get_session().create_client("dynamodb")` gives; DynamoDB is a stub.
"""

from typing import Any

import botocore.session
from fastapi import Request, Response

from benchmarks.speed.ratio import compare, fastest
from benchmarks.speed.story import recorded, told
from benchmarks.speed.stub import stub
from benchmarks.speed.table import Row
from functions.engine import app as engine
from identity_service.frame import create_app, lambda_handler
from identity_service.store import table as seam


def rows() -> list[Row]:
    """Handler against bare calls; what the client's settings, FastAPI and Mangum are in it."""
    with told() as story:
        calls = recorded(lambda: story.caller.process(story.instance, "EXPLORATION"))
        event = story.event("engine_process")
    seam.client.cache_clear()
    plain, lean = botocore.session.get_session().create_client("dynamodb"), seam.client()
    for client in (plain, lean):
        stub(client, calls)

    def bare(client: Any) -> None:
        for operation, arguments, _ in calls:
            getattr(client, operation)(**arguments)

    def whole() -> Any:
        return engine.handler(event, None)

    assert whole()["statusCode"] == 200
    # One by one, since requests come to a handler one by one: a loop over the same call flatters it.
    ratio, micro, base = compare(whole, lambda: bare(plain), rounds=1000, inner=1)
    leaner, lean_micro, _ = compare(lambda: bare(lean), lambda: bare(plain), rounds=1000, inner=1)

    app = create_app("nothing")

    @app.post("/v1/instances/{instance_id}/process")
    async def nothing(request: Request, instance_id: str) -> Response:  # noqa: ARG001
        return Response(b"{}", media_type="application/json")

    empty = lambda_handler(app)
    seam.client.cache_clear()
    nothing_micro = fastest(lambda: empty(event, None))
    return [
        Row("process handler / the same three botocore calls", ratio, 1.35, "x", f"{micro:.0f} us / {base:.0f} us"),
        Row("  the three calls with our client / with a plain one", leaner, None, "x", f"{lean_micro:.0f} us / {base:.0f} us"),
        Row("  FastAPI, Mangum and the frame around nothing", nothing_micro, None, "us"),
    ]
