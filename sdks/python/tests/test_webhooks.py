"""Events at the receiver, against the published library and a running server."""

import json
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from identity_os_sdk import ConfigurationError, IdentityOS, SignatureError
from identity_os_sdk.webhooks import verify
from standardwebhooks import Webhook

SECRET, OTHER = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
BODY = json.dumps({"id": "evt_1", "type": "agent.paused", "data": {"reason": "ü"}}, ensure_ascii=False)


def signed(body=BODY, secrets=(SECRET,), at=None):
    at = int(time.time()) if at is None else at
    zoneless = datetime.fromtimestamp(at, UTC).replace(tzinfo=None)
    signatures = [Webhook(secret).sign("msg_1", zoneless, body) for secret in secrets]
    return {"Webhook-Id": "msg_1", "Webhook-Timestamp": str(at), "Webhook-Signature": " ".join(signatures)}


def test_what_the_published_library_signs_is_verified():
    assert verify(BODY, signed(), SECRET) == verify(BODY.encode(), signed(), SECRET) == json.loads(BODY)
    assert verify(BODY, signed(), SECRET.removeprefix("whsec_")) == json.loads(BODY)


@pytest.mark.parametrize("secrets", [(SECRET,), (OTHER, SECRET), (SECRET, OTHER)])
def test_while_a_secret_is_rotated_either_is_enough(secrets):
    assert verify(BODY, signed(secrets=secrets), SECRET)
    assert verify(BODY, signed(), [OTHER, SECRET])


@pytest.mark.parametrize(
    ("body", "headers", "secret"),
    [
        (BODY + " ", signed(), SECRET),
        (BODY, signed(), OTHER),
        (BODY, signed(at=int(time.time()) - 3600), SECRET),
        (BODY, signed(at=int(time.time()) + 3600), SECRET),
        (BODY, signed() | {"Webhook-Id": "msg_2"}, SECRET),
        (BODY, signed() | {"Webhook-Timestamp": "soon"}, SECRET),
        (BODY, signed() | {"Webhook-Signature": "v1,"}, SECRET),
        (BODY, signed() | {"Webhook-Signature": "v1,!!!"}, SECRET),
        (BODY, signed() | {"Webhook-Signature": signed()["Webhook-Signature"].replace("v1,", "v2,")}, SECRET),
        (BODY, {}, SECRET),
    ],
)
def test_anything_else_is_refused(body, headers, secret):
    with pytest.raises(SignatureError):
        verify(body, headers, secret)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!!", []])
def test_a_secret_that_is_none_is_a_mistake_of_the_configuration(secret):
    with pytest.raises(ConfigurationError):
        verify(BODY, signed(), secret)


def test_the_client_manages_webhooks_and_a_receiver_verifies_what_comes(server):
    url, keys = server
    client, got = IdentityOS(keys["enterprise"], url), []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append((self.rfile.read(int(self.headers["content-length"])), dict(self.headers)))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    receiver = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    made = client.webhooks.create(f"http://localhost:{receiver.server_port}/", types=["agent.paused"], description="d")
    assert [hook.id for hook in client.webhooks.list().data] == [made.id]
    assert (client.webhooks.get(made.id).types, made.enabled) == (["agent.paused"], True)
    client.webhooks.test(made.id)
    one = client.instances.create("Aria")
    client.engine.process_batch(one.id, [{"mode_target": "STRESS_RESPONSE", "signal_strength": 0.9}] * 30)
    until(lambda: len(got) == 2)
    for body, headers in got:
        assert verify(body, headers, made.secret) == Webhook(made.secret).verify(body, headers)
    types = {json.loads(body)["type"] for body, _ in got}
    assert types == {"webhook.test", "agent.paused"}
    until(lambda: {row.status for row in client.webhooks.deliveries(made.id, limit=10).data} == {"delivered"})
    first = client.webhooks.deliveries(made.id).data[0]
    assert client.webhooks.redeliver(made.id, first.id).id == first.id
    until(lambda: len(got) == 3)
    assert client.webhooks.rotate(made.id).secret != made.secret
    assert client.webhooks.update(made.id, types=[], enabled=False).enabled is False
    assert client.webhooks.delete(made.id).deleted
    receiver.shutdown()
    receiver.server_close()


def until(true):
    for _ in range(300):
        if true():
            return
        time.sleep(0.1)
    raise AssertionError("it did not happen")
