"""`LOG=1 make run`: prints a line for each request: method, path, status, milliseconds, request id."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send


def logged(app: ASGIApp) -> ASGIApp:
    """The app, with a line on standard output when a request is over.

    A status of `-` is a client that disconnected before there was a response. Without a request id, as on the docs pages, the
    line has a `-` too. Queries, headers and bodies are left out: they may hold what should not be on a screen.
    """

    async def with_log(scope: Scope, receive: Receive, send: Send) -> None:
        status = request_id = "-"

        async def noted(message: Message) -> None:
            nonlocal status, request_id
            if message["type"] == "http.response.start":
                status = str(message["status"])
                request_id = dict(message.get("headers", [])).get(b"x-request-id", b"-").decode()
            await send(message)

        begin = time.perf_counter()
        try:
            await app(scope, receive, noted)
        finally:
            milliseconds = round((time.perf_counter() - begin) * 1000)
            # The path as it was sent: decoded, it could hold line breaks and pretend to be other requests.
            path = scope["raw_path"].decode("ascii", "backslashreplace")
            print(f"{scope['method']} {path} {status} {milliseconds} ms {request_id}", flush=True)

    return with_log
