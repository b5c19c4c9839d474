"""Events from end to end without threads and without waiting: the stream, the queue and its clock are driven by the test."""

import json
import os
import threading
from collections import deque
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook

from identity_service.settings import settings
from identity_service.webhooks import hooks, queue
from local import events
from local.moto_fixes import stream_records
from local.queue import Queue


class Receiver:
    """A server on this machine that answers as it is told, and keeps what it got. `plan`: statuses to come, then 204."""

    def __init__(self):
        self.plan, self.got, self.lock = deque(), [], threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                with receiver.lock:
                    receiver.got.append((dict(self.headers), body))
                    status = receiver.plan.popleft() if receiver.plan else 204
                if status == "reset":
                    self.connection.close()
                    return
                self.send_response(status)
                if status == 302:
                    self.send_header("location", f"http://localhost:{receiver.port}/elsewhere")
                answer = b"" if status == 204 else b"so it is"
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        self.url = f"http://localhost:{self.port}/hook"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def events(self, secret):
        """What arrived, each verified by the published library."""
        return [Webhook(secret).verify(body, headers) for headers, body in self.got]


class World:
    """The stream and the queue of an embedded table."""

    def __init__(self):
        self.time, self.pending = 0.0, []
        self.queue = Queue(lambda: self.time)
        self.stream = stream_records(settings().table)
        queue.use(self.queue)

    def tell(self):
        """Give the fan-out what is new in the stream."""
        self.pending += next(self.stream)
        self.pending = events.told(self.pending)

    def deliver(self):
        """Give the delivery what is due, until nothing is."""
        while events.deliver_due(self.queue):
            pass

    def settle(self):
        """Tell and deliver everything that is due now."""
        self.tell()
        self.deliver()

    def later(self, seconds):
        self.time += seconds
        self.settle()


@contextmanager
def world(folder):
    """A world over the table that is running, with a file for the key of secrets."""
    names = ("IDENTITY_OS_SECRET_FILE", "IDENTITY_OS_WEBHOOKS_LOCALHOST")
    before = {name: os.environ.get(name) for name in names}
    os.environ |= {"IDENTITY_OS_SECRET_FILE": str(folder / "secret")}
    events.prepare(folder)
    hooks.sealing.unseal.cache_clear()
    try:
        yield World()
    finally:
        queue.use(None)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def body_of(message):
    return json.loads(message[1])
