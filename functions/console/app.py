"""The console's app and its Lambda handler. Errors are pages here, and JSON nowhere; headers are set in one place."""

import asyncio
from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from functions.console import cookies, pages, urls
from functions.console.config import config
from functions.console.render import page
from functions.console.static_files import router as static_files
from functions.console.visitor import Forbidden, NoAccount, NotLoggedIn
from identity_service.errors import ApiError
from identity_service.log import logger
from identity_service.store import sessions
from identity_service.store.dynamodb import Conflict, OutcomeUnknown, StoreUnavailable


class Frame:
    """Middleware: the request's id, the headers of every answer, the renewal of a session."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        context = scope.get("aws.event", {}).get("requestContext", {})
        state = scope.setdefault("state", {})
        state["request_id"] = context.get("requestId") or str(uuid4())

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _headers().items():
                    headers.setdefault(name, value)
                headers["X-Request-Id"] = state["request_id"]
                session = state.get("session")
                if session is not None and session.due and "set-cookie" not in headers:
                    sessions.renew(session)
                    carrier = Response()
                    cookies.keep(carrier, session)
                    headers.append("set-cookie", carrier.headers["set-cookie"])
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        except Exception as error:  # a bug: the person gets a page, the log the trace
            response = await error_page(Request(scope, receive), error)
            await response(scope, receive, send_with_headers)


def _headers() -> dict[str, str]:
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        f"form-action 'self' {config().login_origin}; base-uri 'none'; frame-ancestors 'none'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    return headers | ({"Strict-Transport-Security": "max-age=31536000"} if config().https else {})


def create_app() -> FastAPI:
    """The app with all pages."""
    app = FastAPI(title="Console", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.add_middleware(Frame)
    for router in (*pages.ROUTERS, static_files):
        app.include_router(router, prefix=urls.PREFIX)
    for kind in (HTTPException, RequestValidationError, NotLoggedIn, NoAccount, Forbidden, ApiError, Conflict,
                 StoreUnavailable):  # fmt: skip
        app.add_exception_handler(kind, error_page)
    urls.bind(app, {route.name for route in pages.routes()})
    return app


async def error_page(request: Request, error: Exception) -> Response:
    """What a person sees instead of the page."""
    match error:
        case NotLoggedIn():
            # After the log-in a page is shown again; a form is not sent again.
            path = request.scope["path"].removeprefix(urls.PREFIX) if request.method == "GET" else ""
            asked = f"?{request.url.query}" if path and request.url.query else ""
            return Response(status_code=303, headers={"Location": urls.url_for("login", {"next": path + asked})})
        case NoAccount():
            return Response(status_code=303, headers={"Location": urls.url_for("start")})
        case Forbidden():
            status, title, text = 403, "Not allowed", str(error)
        case RequestValidationError():
            status, title, text = 400, "That does not work", "A value in the address or in the form is missing or not valid."
        case HTTPException(status_code=404) | ApiError(status=404):
            status, title, text = 404, "Not here", "There is no such page, or it is not in your account."
        case HTTPException(status_code=405):
            status, title, text = 405, "That does not work", "This address does not take that kind of request."
        case HTTPException():
            status, title, text = error.status_code, "That does not work", str(error.detail)
        case ApiError():
            status, title, text = error.status, "That does not work", error.message
        case Conflict():
            status, title, text = 409, "Somebody was faster", "Others kept changing this at the same time. Try again."
        case OutcomeUnknown():
            logger().error("outcome unknown", reason=str(error), request_id=request.state.request_id)
            status, title = 503, "Look before you try again"
            text = "The database did not answer in time: this may have been done, or not. Go back, and see whether it was."
        case StoreUnavailable():
            logger().error("store unavailable", reason=str(error), request_id=request.state.request_id)
            status, title, text = 503, "Try again in a moment", "The database does not respond. Nothing was changed."
        case _:
            logger().exception("unexpected error", request_id=request.state.request_id)
            status, title, text = 500, "Something broke on our side", "If it stays, tell us the number below."
    return page(request, "error.html", None, status, title=title, text=text)


def lambda_handler(app: FastAPI) -> Callable[[dict[str, Any], Any], Any]:
    """The Lambda handler. Mangum would send an image in base64, which the API's stage does not decode; ours are SVG, text."""
    from mangum import Mangum

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    adapter = Mangum(app, lifespan="off", text_mime_types=_TEXT)

    def handler(event: dict[str, Any], context: Any) -> Any:
        asyncio.set_event_loop(loop)
        return adapter(event, context)

    return handler


_TEXT: Final = ["text/", "application/json", "application/javascript", "application/x-ndjson", "image/svg+xml"]

app = create_app()
handler = lambda_handler(app)
