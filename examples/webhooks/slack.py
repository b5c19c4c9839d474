"""A message in Slack when an agent pauses, needs a person, or goes on; with a link to the console's page to decide.

WEBHOOK_SECRET   the secret of the webhook, whsec_...
SLACK_URL        the address of a Slack incoming webhook
CONSOLE          the address of the console, such as http://localhost:8000/console
PORT             the port to listen on (9000)
"""

import os
from collections import OrderedDict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
from identity_os_sdk import SignatureError
from identity_os_sdk.webhooks import verify

WORDS = {
    "agent.paused": ":double_vertical_bar: *{name}* paused: {reason}",
    "agent.escalated": ":raised_hand: *{name}* needs a person: {reason}",
    "agent.resumed": ":arrow_forward: *{name}* goes on",
}
seen: OrderedDict[str, None] = OrderedDict()


def message(event: dict, console: str) -> dict | None:
    """What Slack shows; None for an event that nobody needs to see."""
    words = WORDS.get(event["type"])
    if words is None:
        return None
    data = event["data"]
    # Slack takes these three for markup, and an agent's name may hold them.
    safe = {n: str(v).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for n, v in data.items()}
    text = words.format(name=safe["name"], reason=safe.get("reason", ""))
    if event["type"] != "agent.resumed":
        text += f" (cycle {data['cycle']}, stress {data['now']['stress_state']})\n"
        text += f"<{console}/agents/{data['instance_id']}/decide|Decide>"
    return {"text": text}


class Receiver(BaseHTTPRequestHandler):
    """Verifies, tells Slack, and answers. If Slack does not take it, the event comes again."""

    def do_POST(self) -> None:
        """Take a delivery."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            event = verify(body, self.headers, os.environ["WEBHOOK_SECRET"])
        except SignatureError:
            return self.answer(401)
        if self.headers["webhook-id"] not in seen:
            shown = message(event, os.environ["CONSOLE"])
            if shown and not self.tell(shown):
                return self.answer(502)
            seen[self.headers["webhook-id"]] = None
            if len(seen) > 1000:
                seen.popitem(last=False)
        return self.answer(204)

    def tell(self, shown: dict) -> bool:
        """Whether Slack took it."""
        try:
            return httpx.post(os.environ["SLACK_URL"], json=shown, timeout=10).status_code == 200
        except httpx.HTTPError:
            return False

    def answer(self, status: int) -> None:
        """An empty answer."""
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "9000"))), Receiver).serve_forever()
