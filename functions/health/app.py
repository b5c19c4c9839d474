"""Health: is the service up. No key, no limits, no table."""

import identity_service.cold_start  # noqa: F401

# isort: split

from fastapi import Response

from identity_service.app import create_app, lambda_handler
from identity_service.http import data_response
from identity_service.openapi import operation

app = create_app("Health")


@app.get("/v1/health", **operation("Is the service up", "Health", public=True))
async def health() -> Response:
    """`{"status": "ok"}`."""
    return data_response({"status": "ok"})


handler = lambda_handler(app)
