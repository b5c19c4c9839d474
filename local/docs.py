"""Interactive docs for local use: Swagger UI and ReDoc for the whole API, with all assets served locally."""

from pathlib import Path
from typing import Any

import fastapi_offline
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from local.openapi import document

_SWAGGER = """<!doctype html><html lang="en"><head><title>Identity OS</title><meta charset="utf-8">
<link rel="icon" href="data:,"><link rel="stylesheet" href="/docs/assets/swagger-ui.css"></head><body><div id="ui"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({url: "/openapi.json", dom_id: "#ui", deepLinking: true, persistAuthorization: true})</script>
</body></html>"""
_REDOC = """<!doctype html><html lang="en"><head><title>Identity OS</title><meta charset="utf-8"><link rel="icon" href="data:,">
</head><body style="margin:0"><redoc spec-url="/openapi.json"></redoc>
<script src="/docs/assets/redoc.standalone.js"></script></body></html>"""


def docs_app() -> Starlette:
    """Serves /docs, /redoc, /openapi.json and their assets."""
    assets = Path(fastapi_offline.__file__).parent / "static"
    # "Try it out" must call this server, not the deployed API.
    openapi = document() | {"servers": [{"url": "/"}]}

    async def swagger(_: Request) -> HTMLResponse:
        return HTMLResponse(_SWAGGER)

    async def redoc(_: Request) -> HTMLResponse:
        return HTMLResponse(_REDOC)

    async def raw(_: Request) -> JSONResponse:
        return JSONResponse(openapi)

    async def unknown(_: Request, __: Any) -> JSONResponse:
        return JSONResponse({"error": "not_found", "message": "no such route", "details": {}}, 404)

    return Starlette(
        routes=[
            Route("/docs", swagger),
            Route("/redoc", redoc),
            Route("/openapi.json", raw),
            Mount("/docs/assets", StaticFiles(directory=assets)),
        ],
        exception_handlers={404: unknown},
    )
