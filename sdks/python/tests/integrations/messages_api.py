"""A Messages API on loopback that plays tool calls, so that the real Claude Code runs without a network and without a key."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class MessagesAPI(ThreadingHTTPServer):
    """`calls` is one list of (tool, arguments) for each turn of the model; after the last turn it says "done"."""

    daemon_threads = True

    def __init__(self, turns: list[list[tuple[str, dict[str, Any]]]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.turns, self.requests = list(turns), list[dict[str, Any]]()
        self.turn = 0

    def __enter__(self) -> MessagesAPI:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def answer(self, request: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
        """The blocks of the model's next message, and why it stops."""
        if not request.get("tools"):  # a side request of Claude Code's own, such as a title for the session
            return [{"type": "text", "text": "title"}], "end_turn"
        self.requests.append(request)
        if self.turn >= len(self.turns):
            return [{"type": "text", "text": "done"}], "end_turn"
        self.turn += 1
        calls = enumerate(self.turns[self.turn - 1])
        blocks = [
            {"type": "tool_use", "id": f"toolu_{self.turn}_{i}", "name": name, "input": args} for i, (name, args) in calls
        ]
        return blocks, "tool_use"

    def results(self) -> list[str]:
        """The text of each tool result that the model received, in order."""
        lists = [message["content"] for message in self.requests[-1]["messages"] if isinstance(message["content"], list)]
        contents = [block["content"] for blocks in lists for block in blocks if block["type"] == "tool_result"]
        return [
            content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content) for content in contents
        ]

    def read(self) -> str:
        """All that the model read in its last request."""
        return json.dumps([self.requests[-1].get("system"), self.requests[-1]["messages"]])


class _Handler(BaseHTTPRequestHandler):
    server: MessagesAPI

    def log_message(self, *_: object) -> None: ...

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))))
        blocks, stop = self.server.answer(request)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": request["model"], "content": []}
        self.event("message_start", message={**message, "usage": {"input_tokens": 1, "output_tokens": 1}})
        for i, block in enumerate(blocks):
            text = block["type"] == "text"
            self.event("content_block_start", index=i, content_block={**block, **({"text": ""} if text else {"input": {}})})
            delta = (
                {"type": "text_delta", "text": block["text"]}
                if text
                else {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
            )
            self.event("content_block_delta", index=i, delta=delta)
            self.event("content_block_stop", index=i)
        self.event("message_delta", delta={"stop_reason": stop}, usage={"output_tokens": 1})
        self.event("message_stop")

    def event(self, kind: str, **data: Any) -> None:
        self.wfile.write(f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode())
