"""The personality test: its questions and its submission."""

import identity_service.cold_start  # noqa: F401

# isort: split

from typing import Annotated

from fastapi import Query, Request, Response

from identity_service.app import create_app, lambda_handler
from identity_service.http import audited_response, data_response, idempotency_key, meter, read_body
from identity_service.openapi import operation
from identity_service.query_models import QuestionsQuery
from identity_service.request_models import TestRequest
from identity_service.testing import questions_response, submit_test

app = create_app("Testing")


@app.get("/v1/test/questions", **operation("getTestQuestions", "Get test questions", "Questions"))
async def questions(request: Request, query: Annotated[QuestionsQuery, Query()]) -> Response:
    """The questions of one version, in order, with their options."""
    meter(request).count_request()
    return data_response(questions_response(query.version))


@app.post(
    "/v1/test/submit",
    **operation("submitTest", "Submit a personality test", "TestDone", TestRequest, also=(403, 404, 409), idempotent=True),
)
async def submit(request: Request) -> Response:
    """Scores the answers and restarts the instance with the resulting profile."""
    body = await read_body(request, TestRequest)
    done = submit_test(meter(request), body, await idempotency_key(request, body.instance_id or None))
    return audited_response(done.body, done.digest)


handler = lambda_handler(app)
