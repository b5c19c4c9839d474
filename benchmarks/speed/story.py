"""One instance with a past on the embedded table: the events that Lambda would get about it, and the calls that they make."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.speed.stub import Calls
from identity_engine import MODE_CONSTANTS, canonical
from identity_service.store import dynamodb as store_client
from local import dynamodb
from local.edge import Edge
from tests.conftest import Caller

EVENTS = Path(__file__).parents[2] / "events"


@dataclass(frozen=True, slots=True)
class Story:
    """A caller through the local edge, and its instance of 500 observations."""

    caller: Caller
    instance: str

    def event(self, name: str) -> dict[str, Any]:
        """The event of that name in events/, about this instance."""
        event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
        known = event.get("pathParameters")
        if known and "instance_id" in known:
            event["path"] = event["path"].replace(known["instance_id"], self.instance)
            known["instance_id"] = self.instance
        if "authorizer" in event.get("requestContext", {}):
            event["requestContext"]["authorizer"]["account_id"] = self.caller.account_id
        if "authorizationToken" in event:
            event["authorizationToken"] = f"Bearer {self.caller.key}"
        return event


def observation(number: int) -> dict[str, Any]:
    """A turn of an agent that works."""
    mode = ("ORDER", "PERCEPTION", "EXPLORATION")[number % 3]
    return {"mode_target": mode, "signal_strength": 0.6, "context": {"turn": 17, "tool": "search", "outcome": "ok"}}


def guarded(number: int) -> dict[str, Any]:
    """A report as a guard sends it, with a context of 300 bytes."""
    marks = {name: sha256(f"{name} {number}".encode()).hexdigest()[:16] for name in ("arguments_hash", "result_hash", "trace")}
    context = {"tool": "search_orders", "action": "clarify", "outcome": "worked", "rule": "read", **marks, "session": ""}
    context["session"] = sha256(str(number).encode()).hexdigest() * 2
    context["session"] = context["session"][: 300 - len(canonical(context)) + len(context["session"])]
    return observation(number) | {"context": context}


def restless(number: int) -> dict[str, Any]:
    """A turn of an agent whose state is as large as states get: any mode, any strength."""
    random = Random(number)
    mode = MODE_CONSTANTS[random.randrange(7)]
    return {"mode_target": mode, "signal_strength": random.random(), "confidence": random.random()}


@contextmanager
def told() -> Iterator[Story]:
    """The story, for as long as the block runs."""
    with dynamodb.running("embedded"):
        caller = Caller(Edge(), "enterprise")
        instance = caller.new_instance()
        for _ in range(5):
            caller.post(
                f"/instances/{instance}/process/batch", json={"observations": [observation(i) for i in range(100)]}
            ).raise_for_status()
        yield Story(caller, instance)


def recorded(act: Callable[[], object]) -> Calls:
    """The DynamoDB calls that `act` makes."""
    calls: Calls = []
    call = store_client._call

    def heard(operation: str, *, repeatable: bool = True, **arguments: Any) -> Any:
        answer = call(operation, repeatable=repeatable, **arguments)
        calls.append((operation, arguments, {name: value for name, value in answer.items() if name != "ResponseMetadata"}))
        return answer

    store_client._call = heard
    try:
        act()
    finally:
        store_client._call = call
    return calls
