"""The receivers of examples/webhooks, with deliveries as the service makes them."""

import base64
import json
import threading
from http.server import HTTPServer
from importlib.util import module_from_spec, spec_from_file_location
from time import time
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from identity_service.webhooks import sealing, sending
from local.template import ROOT

SECRET = sealing.new_secret()
DATA = {"name": "A <b>", "instance_id": "inst_1", "cycle": 9, "reason": "energy is 0.10", "now": {"stress_state": "OVER"}}
PAUSED = json.dumps({"id": "evt_1", "type": "agent.paused", "timestamp": "t", "data": DATA})


@pytest.fixture
def example(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "sdks" / "python"))
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)

    def load(name):
        spec = spec_from_file_location(name, ROOT / "examples" / "webhooks" / f"{name}.py")
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


def headers(body=PAUSED, secret=SECRET, name="msg_1"):
    return sending.headers(name, body, [secret], time())


def post(url, body, given):
    try:
        return urlopen(Request(url, body.encode(), given)).status
    except HTTPError as error:
        return error.code


def test_slack_is_told_once_with_a_link_to_decide(example, receiver, monkeypatch):
    slack = example("slack")
    monkeypatch.setenv("SLACK_URL", receiver.url)
    monkeypatch.setenv("CONSOLE", "https://api.example.com/console")
    monkeypatch.setattr(slack.Receiver, "log_message", lambda *_: None)
    server = HTTPServer(("127.0.0.1", 0), slack.Receiver)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    receiver.plan.extend([500, 200])
    assert [post(url, PAUSED, headers()) for _ in range(3)] == [502, 204, 204]
    assert post(url, PAUSED, headers(secret=sealing.new_secret())) == 401
    other = json.dumps({"type": "key.created", "data": {}})
    assert post(url, other, headers(other, name="msg_2")) == 204
    server.shutdown()
    server.server_close()
    texts = [json.loads(body)["text"] for _, body in receiver.got]
    assert texts[0] == texts[1]
    assert len(texts) == 2
    assert "*A &lt;b&gt;* paused: energy is 0.10 (cycle 9, stress OVER)" in texts[0]
    assert "<https://api.example.com/console/agents/inst_1/decide|Decide>" in texts[0]


def test_fastapi_verifies_and_works_once(example, monkeypatch):
    from starlette.testclient import TestClient

    module, done = example("fastapi_receiver"), []
    monkeypatch.setattr(module, "handle", done.append)
    client = TestClient(module.app)
    assert [client.post("/", content=PAUSED, headers=headers()).status_code for _ in range(2)] == [204, 204]
    assert done == [json.loads(PAUSED)]
    assert client.post("/", content=PAUSED + " ", headers=headers()).status_code == 401


@pytest.mark.parametrize("encoded", [True, False])
def test_lambda_verifies(example, capsys, encoded):
    handler = example("lambda_receiver").handler
    body = base64.b64encode(PAUSED.encode()).decode() if encoded else PAUSED
    event = {"body": body, "isBase64Encoded": encoded, "headers": headers()}
    assert handler(event, None) == {"statusCode": 204}
    assert "agent.paused inst_1 energy is 0.10" in capsys.readouterr().out
    assert handler(event | {"headers": {}}, None) == {"statusCode": 401}
