"""Shared fixtures: an embedded table, accounts, a client of the local edge, Lambda events."""

import json
import logging
import os
import re
import traceback
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import httpx
import pytest
from botocore.loaders import JSONFileLoader

from identity_service import clock
from identity_service.keys import well_formed
from identity_service.log import logger
from identity_service.plans import PLANS
from identity_service.store import accounts, webhooks
from identity_service.webhooks import hooks
from local import dynamodb
from local.edge import Edge

#: `make test-console` runs these, in an environment with a browser.
collect_ignore = ["browser", "engines"]
EVENTS = Path(__file__).parent.parent / "events"

# Engine 1.0.0 was never released: the tests have it, as their older version.
os.environ["IDENTITY_OS_ENGINE_RELEASES"] = str(Path(__file__).parent / "engines")

_load_file = JSONFileLoader.load_file


@cache
def _service_definition(path):
    return _load_file(JSONFileLoader(), path)


# Every test makes clients of its own. botocore would read and parse the definition of the service for each of them.
JSONFileLoader.load_file = lambda self, path: _service_definition(path)


@pytest.fixture(autouse=True, scope="session")
def no_key_in_any_log():
    """No library may log an API key during the tests, at any level."""
    detector = KeyDetector()
    loggers = [logging.getLogger(), logger()._logger]
    for each in loggers:
        each.addHandler(detector)
    yield detector
    for each in loggers:
        each.removeHandler(detector)
    assert detector.leaks == []


class KeyDetector(logging.Handler):
    """Collects log records that contain a key. Example keys in the repository do not count: their checksums are invalid."""

    def __init__(self):
        super().__init__(logging.NOTSET)
        self.records_seen, self.leaks = 0, []

    def emit(self, record):
        self.records_seen += 1
        values = [record.getMessage(), str(record.__dict__)]
        if record.exc_info:
            values.append("".join(traceback.format_exception(*record.exc_info)))
        for text in values:
            self.leaks += [text for key in re.findall(r"idos_sk_[0-9A-Za-z]{38}", text) if well_formed(key)]


@pytest.fixture
def table(monkeypatch, tmp_path):
    monkeypatch.setenv("IDENTITY_OS_SECRET_FILE", str(tmp_path / "secret"))
    with dynamodb.running(os.environ.get("TEST_DYNAMODB", "embedded")):
        yield


class Caller:
    """An account with a client of the local edge."""

    def __init__(self, edge, plan):
        self.edge = edge
        self.account_id = accounts.create_account(f"test {plan}", plan)
        self.key = accounts.create_key(self.account_id, "test").secret
        self.client = httpx.Client(transport=_InProcess(edge), base_url="http://edge/v1", headers=self.headers)

    @property
    def headers(self):
        return {"Authorization": f"Bearer {self.key}"}

    def __getattr__(self, verb):
        return getattr(self.client, verb)

    def new_instance(self, name="Aria", **fields):
        response = self.post("/instances", json={"name": name, **fields})
        assert response.status_code == 201, response.text
        return response.json()["data"]["id"]

    def process(self, instance_id, mode="ORDER", strength=0.6, **fields):
        body = {"mode_target": mode, "signal_strength": strength, **fields}
        return self.post(f"/instances/{instance_id}/process", json=body)


class _InProcess(httpx.BaseTransport):
    """Calls the edge in process, each request on a new event loop."""

    def __init__(self, edge):
        self.edge = httpx.ASGITransport(edge, raise_app_exceptions=True)

    def handle_request(self, request):
        import asyncio

        async def call():
            response = await self.edge.handle_async_request(request)
            return httpx.Response(response.status_code, headers=response.headers, content=await response.aread())

        return asyncio.run(call())


@pytest.fixture
def edge(table):
    return Edge()


@pytest.fixture
def free(edge):
    return Caller(edge, "free")


@pytest.fixture
def pro(edge):
    return Caller(edge, "pro")


@pytest.fixture
def indie(edge):
    return Caller(edge, "indie")


class Clock:
    """A clock that only moves when the test sets it."""

    def __init__(self):
        self.time = 1_774_347_330.0  # 2026-03-24T10:15:30Z

    def __call__(self):
        return self.time


@pytest.fixture
def stopped_clock(monkeypatch):
    stopped = Clock()
    monkeypatch.setattr(clock, "time", SimpleNamespace(time=stopped))
    return stopped


def stored_webhook(account_id):
    """The webhook of the events in events/, with a delivery; its id and the delivery's."""
    with patch.object(hooks, "secrets", SimpleNamespace(token_hex=lambda _: "0123456789abcdef")):
        hook = hooks.create(account_id, "https://hooks.example.com/").hook
    message = {"account": account_id, "hook": hook["id"], "id": "4f1a" * 16, "at": "2026-03-24T10:15:30Z"}
    webhooks.note(message | {"type": "agent.paused", "payload": "{}"}, webhooks.DELIVERED, 1, 204, 181)
    return hook["id"], message["id"]


def lambda_event(name, account_id="", plan="pro", instance_id=""):
    """An event of events/, for an existing account and instance."""
    text = (EVENTS / f"{name}.json").read_text()
    event = json.loads(text.replace("inst_0123456789abcdef", instance_id or "inst_0123456789abcdef"))
    if "authorizer" in event.get("requestContext", {}):
        limits = PLANS[plan]
        event["requestContext"]["authorizer"] |= {
            "account_id": account_id,
            "plan": plan,
            "per_minute": str(limits.per_minute),
            "per_month": str(limits.per_month),
        }
    return event
