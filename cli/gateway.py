"""API Gateway's side of an account: one gateway key, on the usage plan of the account's plan.

The table is the truth; what is here follows it. The authorizer answers the key's value, which follows from the account's id, so
nothing but this module ever needs it. Every change is one small step towards the right state, found by looking at the present
one: killed anywhere and run again, it goes on.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from identity_service.plans import PLANS
from identity_service.store.accounts import gateway_key
from identity_service.store.dynamodb import Item

_STEPS: Final = 30  # for one account; it needs four
_PAUSE: Final = 0.2  # seconds, after a step that somebody else had made or undone


class UnknownStack(Exception):
    """No such stack, or one that was not made from template.yaml."""


class GatewayRefused(Exception):
    """API Gateway or CloudFormation did not do what was asked; the text is theirs."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A deployed template: its table, and the id of each plan's usage plan."""

    name: str
    table: str
    usage_plans: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class GatewayKey:
    """A key of API Gateway. `plans` names those of ours that it is on."""

    id: str
    name: str
    value: str
    enabled: bool
    plans: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Step:
    """One call that brings an account nearer to what the table says; `wrong` says what it puts right."""

    wrong: str
    operation: str
    arguments: Mapping[str, Any]


def find_stack(name: str) -> Stack:
    """The stack of this name in the region of the AWS credentials; UnknownStack, GatewayRefused."""
    try:
        (found,) = _client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            raise UnknownStack(f"no stack {name} here: check AWS credentials and region") from None
        raise GatewayRefused(str(error)) from error
    outputs = {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
    try:
        usage_plans = {plan: outputs[f"UsagePlan{plan.capitalize()}"] for plan in PLANS}
        return Stack(name, outputs["TableName"], usage_plans)
    except KeyError as missing:
        raise UnknownStack(f"stack {name} has no output {missing}: deploy it from this template first") from None


def usage_plan_of(account: Item) -> str:
    """The plan whose usage plan an account belongs on: its own, unless it may call faster than that one lets it.

    `enterprise` has no throttle of its own, so it leaves the limit to the exact count.
    """
    plan = PLANS[account["plan"]]
    return plan.name if account.get("per_minute", 0) <= plan.per_minute else "enterprise"


class Gateway:
    """API Gateway, seen from one stack."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._client = _client("apigateway")

    def align(self, account: Item) -> list[str]:
        """Bring an account's key in step with the table; what was wrong. GatewayRefused."""
        wrong: list[str] = []
        refused = ""
        for _ in range(_STEPS):
            step = self._next_step(account, self._keys_of(account["id"]))
            if step is None:
                return wrong
            try:
                getattr(self._client, step.operation)(**step.arguments)
                wrong.append(step.wrong)
            except ClientError as error:
                if error.response["Error"]["Code"] not in ("ConflictException", "NotFoundException"):
                    raise GatewayRefused(str(error)) from error
                refused = str(error)
                time.sleep(_PAUSE)
        raise GatewayRefused(f"{account['id']} does not come into step: {refused or wrong[-1]}")

    def out_of_step(self, accounts: list[Item]) -> Iterator[tuple[Item, str]]:
        """Accounts whose key is not as the table says, with the first thing that is wrong. Changes nothing."""
        keys = self._all_keys()
        for account in accounts:
            step = self._next_step(account, keys.get(self._name(account["id"]), []))
            if step is not None:
                yield account, step.wrong

    def strays(self, accounts: list[Item]) -> list[GatewayKey]:
        """Keys of this stack that belong to no account."""
        known = {self._name(account["id"]) for account in accounts}
        return [key for name, keys in self._all_keys().items() if name not in known for key in keys]

    def drop(self, key: GatewayKey) -> None:
        """Delete a key; it leaves its usage plans by that."""
        try:
            self._client.delete_api_key(apiKey=key.id)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NotFoundException":
                raise GatewayRefused(str(error)) from error

    def _next_step(self, account: Item, keys: list[GatewayKey]) -> Step | None:
        value, right = gateway_key(account["id"]), usage_plan_of(account)
        for key in keys:
            if key.value != value:
                return Step("a key of another value has its name", "delete_api_key", {"apiKey": key.id})
        if not keys:
            new = {"name": self._name(account["id"]), "value": value, "enabled": True, "description": "Identity OS"}
            return Step("has no gateway key", "create_api_key", new)
        key = keys[0]
        if not key.enabled:
            enable = [{"op": "replace", "path": "/enabled", "value": "true"}]
            return Step("its gateway key is disabled", "update_api_key", {"apiKey": key.id, "patchOperations": enable})
        for plan in sorted(key.plans - {right}):
            # A key may be on one usage plan of a stage, so it leaves the old one first; until it is on the new one, callers
            # get 503 and try again.
            arguments = {"usagePlanId": self._stack.usage_plans[plan], "keyId": key.id}
            return Step(f"is on usage plan {plan}, not {right}", "delete_usage_plan_key", arguments)
        if right not in key.plans:
            arguments = {"usagePlanId": self._stack.usage_plans[right], "keyId": key.id, "keyType": "API_KEY"}
            return Step(f"is not on usage plan {right}", "create_usage_plan_key", arguments)
        return None

    def _keys_of(self, account_id: str) -> list[GatewayKey]:
        keys = self._read_keys(self._name(account_id)).get(self._name(account_id), [])
        plan_of = {usage_plan: plan for plan, usage_plan in self._stack.usage_plans.items()}
        for key in keys:
            found = self._pages("get_usage_plans", keyId=key.id)
            key.plans.update(plan_of[plan["id"]] for plan in found if plan["id"] in plan_of)
        return keys

    def _all_keys(self) -> dict[str, list[GatewayKey]]:
        keys = self._read_keys(self._name("acct_"))
        by_id = {key.id: key for several in keys.values() for key in several}
        for plan, usage_plan in self._stack.usage_plans.items():
            for entry in self._pages("get_usage_plan_keys", usagePlanId=usage_plan):
                if entry["id"] in by_id:
                    by_id[entry["id"]].plans.add(plan)
        return keys

    def _read_keys(self, prefix: str) -> dict[str, list[GatewayKey]]:
        keys: dict[str, list[GatewayKey]] = {}
        for found in self._pages("get_api_keys", nameQuery=prefix, includeValues=True):
            if found.get("name", "").startswith(prefix):
                key = GatewayKey(found["id"], found["name"], found["value"], found["enabled"])
                keys.setdefault(key.name, []).append(key)
        return keys

    def _pages(self, operation: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        try:
            for page in self._client.get_paginator(operation).paginate(**arguments, PaginationConfig={"PageSize": 500}):
                yield from page.get("items", [])
        except ClientError as error:
            raise GatewayRefused(str(error)) from error

    def _name(self, account_id: str) -> str:
        return f"{self._stack.name}-{account_id}"


@cache
def _session() -> Any:
    return botocore.session.get_session()


def _client(service: str) -> Any:
    # The control plane takes a few calls a second; a repair of many accounts waits for its turn.
    config = Config(retries={"total_max_attempts": 10, "mode": "adaptive"})
    return _session().create_client(service, config=config)
