"""The examples of the OpenAPI document: requests as they stand, and the responses that the service gave to them.

The requests are played in order against the local edge, with the same clock and ids each time, and `python -m local.openapi`
writes the responses to examples.json. So an example of a response is what was answered; a test plays all of it again.
"""

import asyncio
import json
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from itertools import chain, repeat
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

from local import template

#: The instance of the examples, and its birth: those of the published reference.
INSTANCE: Final = "inst_9f190826e20c49ea"
_BORN: Final = 1_774_347_320  # ten seconds before 2026-03-24T10:15:30Z
#: The webhook of the examples, and a delivery to it.
WEBHOOK: Final = "hook_0123456789abcdef"
DELIVERY: Final = "4f1a" * 16
#: The ids that are given out, in order: the agent, one with a persona, one from a test.
_IDS: Final = (INSTANCE, "inst_4c7d21e85a0f36b9", "inst_e09a37d4c1b85f62", "inst_b2e60f9d17c84a53")
_FILE: Final = template.ROOT / "local" / "examples.json"


@dataclass(frozen=True, slots=True)
class Example:
    """A request of an operation and its response. `summary` says in some words what it shows."""

    operation: str
    summary: str
    body: Any = None
    query: str = ""
    response: Any = field(default=None)
    #: Played, but not shown.
    hidden: bool = False

    @property
    def name(self) -> str:
        """The key of the example in the document."""
        return re.sub(r"\W+", "_", self.summary).strip("_").lower()


def _observe(mode: str, strength: float, **more: Any) -> dict[str, Any]:
    return {"mode_target": mode, "signal_strength": strength, **more}


_SEED_BATCH: Final = [_observe("EXPLORATION", 0.8), _observe("ORDER", 0.7), _observe("ASSERTION", 0.6)]
_TWO: Final = [_observe("PERCEPTION", 0.5), _observe("STRESS_RESPONSE", 0.6, context={"tool": "search", "error": "timeout"})]
#: Steady work, and then another mode: enough for an anchor, and for drift from it.
_PAST: Final = [_observe(("PERCEPTION", "ORDER")[n % 2], 0.5) for n in range(30)] + [_observe("EXPLORATION", 0.9)] * 8
_PERSONA: Final = {
    "name": "Ada",
    "description": "Answers support requests",
    "initial_config": {
        "persona_id": "persona_guardian",
        "mode_strengths": {"CONNECTION": 0.4},
        "profile": {"core_modes": ["ORDER", "IDENTITY"], "suppressed_modes": ["ASSERTION"], "governance": "strict"},
    },
}
_TEST: Final = {
    "create_instance": True,
    "instance_name": "Tested",
    "version": "v1",
    "responses": [{"question_id": f"q{n}", "selected_option_id": f"q{n}_{'ab'[n % 2]}"} for n in range(1, 13)],
}
_WEBHOOK: Final = {
    "url": "https://hooks.example.com/identity-os",
    "types": ["agent.paused", "agent.escalated"],
    "description": "Pages whoever is on call",
}
_PATH: Final = {
    "instance_id": INSTANCE,
    "persona_id": "persona_guardian",
    "webhook_id": WEBHOOK,
    "delivery_id": DELIVERY,
}
_REQUESTS: Final = (
    Example("createInstance", "A neutral agent", {"name": "Aria"}),
    Example("createInstance", "A persona with a profile", _PERSONA),
    Example("updateInstance", "A description", {"description": "Plans the week"}),
    Example("processObservation", "Something new", _observe("EXPLORATION", 0.8, confidence=0.9)),
    Example("processBatch", "the past", {"observations": _PAST}, hidden=True),
    Example(
        "processObservation",
        "A failed call",
        _observe("STRESS_RESPONSE", 0.6, context={"tool": "search", "error": "timeout"}, timestamp="2026-03-24T10:15:29Z"),
    ),
    Example("processBatch", "The final state", {"observations": _SEED_BATCH, "include_intermediate": False}),
    Example("processBatch", "Every state", {"observations": _TWO, "include_intermediate": True}),
    Example("simulateObservations", "One observation", _observe("STRESS_RESPONSE", 0.9, severity="incident")),
    Example("simulateObservations", "Several in order", {"observations": _TWO}),
    Example("listInstances", "All instances"),
    Example("getInstance", "An agent"),
    Example("getSnapshot", "An agent"),
    Example("getContract", "The contract"),
    Example("getContract", "With explain=true", query="?explain=true"),
    Example("getContract", "At an earlier cycle", query="?cycle=30"),
    Example("assessGoal", "A large goal", {"complexity": "high", "required_modes": ["EXPLORATION"]}),
    Example("getHistory", "The last two", query="?limit=2"),
    Example("getTimeline", "The last two", query="?limit=2"),
    Example("listDriftEvents", "The last two", query="?limit=2"),
    Example("listAuditRecords", "The second record", query="?limit=1&offset=1"),
    Example("upgradeInstance", "A preview", {"engine_version": "1.0.0", "preview": True}),
    Example("forkInstance", "As it was born", {"at_cycle": 0, "name": "Aria, otherwise"}),
    Example("resetInstance", "The last calm state", {"mode": "last_stable"}),
    Example("resetInstance", "The new normal", {"mode": "rebaseline"}),
    Example("verifyAuditTrail", "A sound trail"),
    Example("getTestQuestions", "The short test"),
    Example("submitTest", "A new agent", _TEST),
    Example("listPersonas", "All personas"),
    Example("getPersona", "The Guardian"),
    Example("createWebhook", "Who is told of pauses", _WEBHOOK),
    Example("createWebhook", "All events", {"url": "https://hooks.example.com/all"}),
    Example("listWebhooks", "All webhooks"),
    Example("getWebhook", "A webhook"),
    Example("updateWebhook", "Switched off", {"enabled": False}),
    Example("updateWebhook", "Switched on again", {"enabled": True, "types": ["agent.paused", "agent.escalated"]}),
    Example("testWebhook", "A test", {}),
    Example("listDeliveries", "The last deliveries"),
    Example("redeliverEvent", "Once more", {}),
    Example("rotateSecret", "A new secret", {}),
    Example("deleteWebhook", "A deleted webhook"),
    Example("checkHealth", "The service is up"),
    Example("deleteInstance", "A deleted agent"),
)


def of(operation: str) -> Sequence[Example]:
    """The examples of an operation, with their responses."""
    recorded = _recorded()
    shown = [each for each in _REQUESTS if each.operation == operation and not each.hidden]
    return [replace(each, response=recorded[operation][each.name]) for each in shown]


@cache
def _recorded() -> dict[str, dict[str, Any]]:
    recorded: dict[str, dict[str, Any]] = json.loads(_FILE.read_text())
    return recorded


def write() -> None:
    """Play the requests and write their responses."""
    _FILE.write_text(text(play()))
    _recorded.cache_clear()


def text(recorded: dict[str, dict[str, Any]]) -> str:
    """The text of examples.json."""
    return json.dumps(recorded, indent=1, ensure_ascii=False) + "\n"


def play() -> dict[str, dict[str, Any]]:
    """The response to each request, by operation and name. AssertionError when one is refused."""
    from local import dynamodb

    with dynamodb.running("embedded"), _fixed() as clock:
        return asyncio.run(_play(clock))


async def _play(clock: SimpleNamespace) -> dict[str, dict[str, Any]]:
    import httpx  # for development only: serving the document does not need it

    from identity_service.store import accounts
    from local.edge import Edge

    recorded: dict[str, dict[str, Any]] = {}
    account_id = accounts.create_account("examples", "enterprise")
    key = accounts.create_key(account_id, "examples").secret
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(Edge()), base_url="http://edge", headers=headers) as client:
        for example in _REQUESTS:
            clock.now += 10
            method, path = _routes()[example.operation]
            for name, value in _PATH.items():
                path = path.replace(f"{{{name}}}", value)
            if example.operation == "listDeliveries":
                _deliver(account_id)
            body = {} if example.body is None else {"json": example.body}
            response = await client.request(method, path + example.query, **body)
            if response.status_code >= 300:
                raise AssertionError(f"{example.operation}, {example.summary}: {response.text}")
            if not example.hidden:
                recorded.setdefault(example.operation, {})[example.name] = response.json()
    return recorded


def _deliver(account_id: str) -> None:
    """A delivery, as the delivery function notes it: the examples are played without a receiver."""
    from identity_service.store import webhooks

    told = {"account": account_id, "hook": WEBHOOK, "id": DELIVERY, "at": "2026-03-24T10:15:30Z"}
    webhooks.note(told | {"type": "agent.paused", "payload": "{}"}, webhooks.DELIVERED, 2, 204, 181, "")


@contextmanager
def _fixed() -> Iterator[SimpleNamespace]:
    """Ids in a fixed order, and a clock that goes on when `now` is set."""
    from identity_service import clock
    from identity_service.store import accounts, instances
    from identity_service.webhooks import hooks, sealing

    fixed, ids = SimpleNamespace(now=float(_BORN)), iter(_IDS)
    hook_ids = chain(["0123456789abcdef", "fedcba9876543210"], repeat("0000000000000000"))
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.dict(os.environ, {"IDENTITY_OS_SECRET_FILE": f"{folder}/secret"}),
        patch.object(hooks, "secrets", SimpleNamespace(token_hex=lambda _: next(hook_ids))),
        patch.object(sealing, "new_secret", lambda: "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="),
        patch.object(clock, "time", SimpleNamespace(time=lambda: fixed.now)),
        # Key ids stand in audit records, as actors. The key itself is made elsewhere, and stays a secret.
        patch.object(accounts, "secrets", SimpleNamespace(token_hex=lambda _: "0123456789abcdef")),
        patch.object(instances, "secrets", SimpleNamespace(token_hex=lambda _: next(ids).removeprefix("inst_"))),
    ):
        yield fixed


@cache
def _routes() -> dict[str, tuple[str, str]]:
    """Method and path of each operation."""
    functions = sorted({route.function for route in template.api_routes()})
    routes = [route for name in functions for route in import_module(f"functions.{name}.app").app.routes]
    return {route.operation_id: (next(iter(route.methods)), route.path) for route in routes}
