"""`python -m local`, run by `make run`: serves the API at http://localhost:8000/v1, the console at /console.

PORT                        the port (8000)
ISSUER_PORT                 the port of the log-in service of the console (8010, or another that is free)
HOST                        the address to listen on (127.0.0.1)
DYNAMODB                    embedded (default), local, or http://...
DYNAMODB_HOST               the address for DynamoDB Local to listen on (127.0.0.1)
IDENTITY_OS_LOCAL           the folder for keys and data (.local)
IDENTITY_OS_DOCS_ENABLED    true: Swagger UI at /docs, ReDoc at /redoc
LOG                         1: a line for each request
"""

import asyncio
import os
import signal
import socket
import sys
import threading
from contextlib import ExitStack, suppress
from typing import Any

import uvicorn

from identity_service.settings import settings
from local import dynamodb, events
from local.accounts import UnreadableKeys, ready_keys
from local.folder import InUse, locked


def main() -> int:
    """Serve until interrupted and return the exit code."""
    host, log = os.environ.get("HOST", "127.0.0.1"), os.environ.get("LOG", "")
    try:
        port = int(os.environ.get("PORT", "8000"))
    except ValueError:
        return _fail(f"PORT={os.environ['PORT']}: use a number, such as PORT=8001")
    if log not in ("", "0", "1"):
        return _fail(f"LOG={log}: use LOG=1 for a line for each request, or leave it out")
    # Handle SIGTERM like Ctrl-C, so that DynamoDB Local is stopped too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(dynamodb.DATA / "server.lock", f"process {os.getpid()} on port {port}"))
        except InUse as holder:
            return _fail(
                f"the folder {dynamodb.DATA} is in use by another server, {holder}: stop it, or give this one a folder and a "
                f"port of its own: IDENTITY_OS_LOCAL={dynamodb.DATA}-2 PORT={port + 1} make run"
            )
        except OSError as error:
            return _fail(f"the folder {dynamodb.DATA} cannot be used ({error.strerror}): set IDENTITY_OS_LOCAL to another one")
        return _run(host, port, log == "1")


def _run(host: str, port: int, log: bool) -> int:
    issuer = os.environ.get("ISSUER_PORT", "")
    if issuer and not issuer.isdecimal():
        return _fail(f"ISSUER_PORT={issuer}: use a number, such as ISSUER_PORT=8010, or leave it out")
    issuer_host = os.environ.get("ISSUER_HOST", "127.0.0.1")
    for name, at, number in (("PORT", host, port), ("ISSUER_PORT", issuer_host, int(issuer or 0))):
        if problem := _not_free(at, number):
            advice = f"stop the process that uses it, or {name}={number + 1} make run"
            return _fail(f"port {number} is not free ({problem}): {advice}")
    try:
        waiting = events.prepare(dynamodb.DATA)
        kind = os.environ.get("DYNAMODB", "embedded")
        with suppress(KeyboardInterrupt), dynamodb.running(kind, events.told), events.delivering(waiting):
            if kind != "embedded":
                events.find_unfinished()
            _serve(host, port, log)
    except (dynamodb.Unusable, UnreadableKeys) as error:
        return _fail(str(error))
    print("\nstopped")
    return 0


def _not_free(host: str, port: int) -> str | None:
    """Why a port cannot be listened on; None when it can. Port 0 stands for any that is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror
    return None


def _serve(host: str, port: int, log: bool) -> None:
    from local.access_log import logged
    from local.console import join_demo, prepare
    from local.docs import docs_app
    from local.edge import Edge

    keys = ready_keys(dynamodb.DATA / "keys.json")
    # The issuer is for this machine only, also where the API listens for others; in a container its port is published.
    issuer_host = os.environ.get("ISSUER_HOST", "127.0.0.1")
    issuer_port = int(os.environ.get("ISSUER_PORT") or dynamodb.free_port(8010))
    address = f"http://localhost:{issuer_port}"
    issuer = prepare(f"http://localhost:{port}/console", address, dynamodb.DATA)
    join_demo(address, keys["enterprise"])
    edge = Edge(docs_app() if settings().docs_enabled else None)
    _welcome(port, keys)
    threading.Thread(target=_server(issuer, issuer_host, issuer_port).run, daemon=True).start()
    # Requests run on this event loop and block it: one at a time, like in a Lambda container.
    asyncio.run(_server(logged(edge) if log else edge, host, port).serve())


def _server(app: Any, host: str, port: int) -> uvicorn.Server:
    config = uvicorn.Config(app, host, port, log_level="warning", access_log=False, lifespan="off", server_header=False)
    return uvicorn.Server(config)


def _welcome(port: int, keys: dict[str, str]) -> None:
    from local.console import DEMO

    base = f"http://localhost:{port}/v1"
    print(f"Identity OS is running at {base}   (stop with Ctrl-C)")
    print(f"Console: http://localhost:{port}/console   (sign up with any address; {DEMO} sees the enterprise account)")
    if settings().docs_enabled:
        print(f"Docs: http://localhost:{port}/docs and http://localhost:{port}/redoc")
    print(f"Keys, one for each plan (also in {dynamodb.DATA / 'keys.json'}):")
    for plan, key in keys.items():
        print(f"  {plan:<11} {key}")
    print(f"""Try:
  curl -X POST {base}/instances \\
    -H "Authorization: Bearer {keys["enterprise"]}" \\
    -H "Content-Type: application/json" \\
    -d '{{"name": "Aria"}}'""")
    sys.stdout.flush()


def _fail(message: str) -> int:
    print(f"identity-os: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
