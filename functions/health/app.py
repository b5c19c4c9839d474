"""Health check: whether the service is up. Needs no key and no table, and is not rate limited."""

import identity_service.cold_start  # noqa: F401

# isort: split

from fastapi import Response

from identity_service.app import create_app, lambda_handler
from identity_service.http import data_response
from identity_service.openapi import operation

app = create_app("Health")


@app.get("/v1/health", **operation("checkHealth", "Is the service up", "Health", public=True))
async def health() -> Response:
    """Returns `{"status": "ok"}`."""
    return data_response({"status": "ok"})


handler = lambda_handler(app)
