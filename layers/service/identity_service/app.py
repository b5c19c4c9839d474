"""The app factory of every function, and the handler that Lambda calls."""

import asyncio
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from identity_service.legacy import LegacyMiddleware
from identity_service.middleware import RequestMiddleware, error_response


def create_app(title: str) -> FastAPI:
    """The FastAPI app of one function. Interactive docs are off here: the local server serves them for all functions."""
    app = FastAPI(
        title=title,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # X-Ray traces the functions. FastAPI's own spans would look for their providers at every request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.add_middleware(RequestMiddleware)
    app.add_middleware(LegacyMiddleware)
    app.add_exception_handler(HTTPException, error_response)
    app.add_exception_handler(RequestValidationError, error_response)
    return app


def lambda_handler(app: FastAPI) -> Callable[[dict[str, Any], Any], Any]:
    """The Lambda handler of an app."""
    from mangum import Mangum

    # Mangum uses the thread's current event loop, and newer Python versions do not create one implicitly.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    adapter = Mangum(app, lifespan="off")

    def handler(event: dict[str, Any], context: Any) -> Any:
        asyncio.set_event_loop(loop)
        return adapter(event, context)

    return handler
