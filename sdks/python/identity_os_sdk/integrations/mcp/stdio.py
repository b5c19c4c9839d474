"""The proxy over stdio: the host's pipes on one side, a server's process or an HTTP server on the other."""

import asyncio
import contextlib
import os
import queue
import select
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Final

from ...errors import ConfigurationError
from .gate import Gate
from .relay import Relay
from .streamable import Server

_CHUNK: Final = 1 << 16
#: Seconds that a server has to end by itself, after its output ended or after SIGTERM.
_GRACE: Final = 2.0


async def to_command(gate: Gate, command: Sequence[str]) -> int:
    """Start the server and carry messages until it ends. Its exit code.

    The host's end of input becomes the server's, and the server's end is the proxy's, so that each sees what it would see
    without the proxy. The server does not get the key of Identity OS.
    """
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, env=environment())
    except OSError as error:
        raise ConfigurationError(f"the MCP server cannot be started: {command[0]}: {error.strerror or error}") from error
    server_in, server_out = process.stdin, process.stdout
    if server_in is None or server_out is None:
        raise ConfigurationError("the MCP server has no pipes")
    output = Output()

    async def to_server(raw: bytes, _message: Any) -> None:
        # A server that closed its input may still send; its own end tells the client.
        with contextlib.suppress(ConnectionError, RuntimeError):
            server_in.write(raw)
            await server_in.drain()

    relay = Relay(gate, output.write, to_server)

    async def from_host() -> None:
        try:
            async for line in lines(host_chunks()):
                await relay.from_client(line)
            await relay.client_left()
        finally:
            server_in.close()

    with _signals(process):
        listening = asyncio.create_task(from_host())
        try:
            async for line in lines(_chunks(server_out)):
                await relay.from_server(line)
            await relay.server_left("the server ended before it answered")
        except ConnectionError:  # the host closed its end: the server's input ends, too
            server_in.close()
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
        return await _ended(process)


def environment() -> dict[str, str]:
    """What a server gets of the environment: all but the key of Identity OS."""
    return {name: value for name, value in os.environ.items() if name != "IDENTITY_OS_API_KEY"}


async def to_url(gate: Gate, url: str, headers: Mapping[str, str]) -> int:
    """Carry messages between the host and a server over Streamable HTTP until the host leaves."""
    output = Output()

    async def deliver(line: bytes) -> None:
        await relay.from_server(line)

    server = Server(url, headers, deliver)
    relay = Relay(gate, output.write, server.send, server.learn)
    main = asyncio.current_task()
    with contextlib.suppress(NotImplementedError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, main.cancel if main else lambda: None)
    try:
        async for line in lines(host_chunks()):
            await relay.from_client(line)
        await relay.client_left()
    except (ConnectionError, asyncio.CancelledError):  # the host has closed its end, or ends the proxy
        pass
    await server.close()
    await relay.server_left("the host left")
    return 0


async def lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The lines of a stream, each with its line end, however long they are. What stands after the last one comes as it is."""
    parts: list[bytes] = []
    async for chunk in chunks:
        begin = 0
        while (end := chunk.find(b"\n", begin) + 1) > 0:
            yield b"".join((*parts, chunk[begin:end]))
            parts, begin = [], end
        if begin < len(chunk):
            parts.append(chunk[begin:])
    if parts:
        yield b"".join(parts)


async def host_chunks() -> AsyncIterator[bytes]:
    """What the host sends. A thread reads, since stdin may be a pipe, a terminal or a file, on any system."""
    loop, chunks = asyncio.get_running_loop(), asyncio.Queue[bytes](maxsize=16)

    def read() -> None:
        # The loop may be gone when the thread, which nobody can interrupt, gets its last bytes.
        with contextlib.suppress(RuntimeError, OSError):
            while True:
                chunk = os.read(sys.stdin.fileno(), _CHUNK)
                asyncio.run_coroutine_threadsafe(chunks.put(chunk), loop).result()
                if not chunk:
                    return

    threading.Thread(target=read, name="identity-os-stdin", daemon=True).start()
    while chunk := await chunks.get():
        yield chunk


class Output:
    """The host's end of stdout. A thread writes, so that a host that does not read holds up nothing but its own messages."""

    def __init__(self) -> None:
        self._lines: queue.SimpleQueue[tuple[bytes, asyncio.Future[None]]] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._work, name="identity-os-stdout", daemon=True).start()

    async def write(self, raw: bytes) -> None:
        """Write a line, and wait until it is written. ConnectionError when the host has closed its end."""
        written: asyncio.Future[None] = self._loop.create_future()
        self._lines.put((raw, written))
        await written

    def _work(self) -> None:
        while True:
            raw, written = self._lines.get()
            failure: ConnectionError | None = None
            try:
                left = memoryview(raw)
                while left:
                    try:
                        left = left[os.write(sys.stdout.fileno(), left) :]
                    except BlockingIOError:  # the host made the pipe so
                        select.select([], [sys.stdout.fileno()], [])
            except OSError as error:
                failure = ConnectionError(str(error))
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(_settle, written, failure)


def _settle(future: asyncio.Future[None], failure: Exception | None) -> None:
    if future.done():
        return
    if failure is None:
        future.set_result(None)
    else:
        future.set_exception(failure)


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while chunk := await reader.read(_CHUNK):
        yield chunk


@contextlib.contextmanager
def _signals(process: asyncio.subprocess.Process) -> Iterator[None]:
    """SIGTERM and SIGINT go to the server; when it ends, so does the proxy."""
    loop = asyncio.get_running_loop()
    ending: list[asyncio.Task[int]] = []

    def end() -> None:
        ending.append(asyncio.ensure_future(_ended(process, at_once=True)))

    handled = [signal.SIGTERM, signal.SIGINT]
    try:
        for each in handled:
            loop.add_signal_handler(each, end)
    except NotImplementedError:  # Windows: the process is ended, and the server sees its input end
        handled = []
    try:
        yield
    finally:
        for each in handled:
            loop.remove_signal_handler(each)


async def _ended(process: asyncio.subprocess.Process, *, at_once: bool = False) -> int:
    """Wait for the server's end; one that does not end by itself is ended. Its exit code, as a shell would say it."""
    for end in (None, process.terminate, process.kill):
        with contextlib.suppress(ProcessLookupError):
            if end is not None:
                end()
            elif at_once:
                continue
        waiting = asyncio.ensure_future(process.wait())
        if (await asyncio.wait({waiting}, timeout=_GRACE))[0]:
            return code if (code := waiting.result()) >= 0 else 128 - code
        waiting.cancel()
    return 1
