"""Health: is the service up. No key, no limits, no table."""

import identity_service.start  # noqa: F401

# isort: split

from fastapi import Response

from identity_service.describe import describe
from identity_service.frame import answer, create_app, lambda_handler

app = create_app("Health")


@app.get("/v1/health", **describe("Is the service up", "Health", public=True))
async def health() -> Response:
    """`{"status": "ok"}`."""
    return answer({"status": "ok"})


handler = lambda_handler(app)
