"""The personality test: its questions and its submission."""

import identity_service.start  # noqa: F401

# isort: split

from typing import Annotated

from fastapi import Query, Request, Response

from identity_service.describe import describe
from identity_service.frame import answer, claim, create_app, lambda_handler, made, meter, read
from identity_service.requests import QuestionsQuery, TestIn
from identity_service.testing import questions_answer, submit_test

app = create_app("Testing")


@app.get("/v1/test/questions", **describe("Get test questions", "Questions"))
async def questions(request: Request, query: Annotated[QuestionsQuery, Query()]) -> Response:
    """The questions of one version, in order, with their options."""
    meter(request).charge()
    return answer(questions_answer(query.version))


@app.post("/v1/test/submit", **describe("Submit a personality test", "TestDone", TestIn, also=(403, 404, 409), once=True))
async def submit(request: Request) -> Response:
    """Answers in, profile out; the instance starts anew from it."""
    body = await read(request, TestIn)
    return made(submit_test(meter(request), body, await claim(request, body.instance_id or None)))


handler = lambda_handler(app)
