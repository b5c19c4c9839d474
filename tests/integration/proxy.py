"""A proxy that simulates a bad network to DynamoDB: resets before and after a call, errors, throttling, delays."""

import asyncio
import json
import random
import threading
from collections import Counter
from contextlib import contextmanager

_REFUSAL = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"


class Proxy:
    """Forwards HTTP to `port`; `rate` percent of the calls get a fault."""

    def __init__(self, port, rate, seed):
        self.upstream, self.rate, self.chance = port, rate, random.Random(seed)
        self.met = Counter()
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @contextmanager
    def running(self):
        self._thread.start()
        self._ready.wait(10)
        try:
            yield f"http://127.0.0.1:{self.port}"
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)

    def _run(self):
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()

    async def _serve(self, reader, writer):
        back_reader, back = await asyncio.open_connection("127.0.0.1", self.upstream)
        try:
            while request := await _message(reader):
                fault = self._fault()
                self.met[fault or "passed"] += 1
                if fault == "reset before":
                    return
                if fault == "throttled":
                    writer.write(_answer(400, {"__type": _REFUSAL, "message": "slow down"}))
                    continue
                if fault == "slow":
                    await asyncio.sleep(self.chance.uniform(0.05, 0.3))
                back.write(request)
                response = await _message(back_reader)
                if fault == "reset after":
                    return
                if fault == "error after":
                    response = _answer(500, {"__type": "InternalServerError", "message": "broken"})
                writer.write(response)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            for each in (writer, back):
                each.close()

    def _fault(self):
        kinds = ("reset before", "reset after", "throttled", "slow", "error after")
        return self.chance.choice(kinds) if self.chance.random() < self.rate / 100 else None


async def _message(reader):
    """One HTTP message, head and body; empty when the connection is closed."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    length = next(
        (int(line.partition(b":")[2]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), None
    )
    if length is not None:
        return head + await reader.readexactly(length)
    body = b""
    if b"transfer-encoding: chunked" in head.lower():
        while not body.endswith(b"0\r\n\r\n"):
            body += await reader.readuntil(b"\r\n")
    return head + body


def _answer(status, body):
    text = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {len(text)}\r\n\r\n"
    return head.encode() + text
