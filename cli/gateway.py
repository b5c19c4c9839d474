"""The API Gateway key of an account: one key, attached to the usage plan of the account's plan. Accounts that signed up in the
console share 64 keys until they change their plan, since API Gateway allows 10,000 keys and a sign-up must not make one.

The table is the source of truth and API Gateway follows it. The authorizer returns the key's value, which is derived from the
account's id, so only this module handles the keys themselves. Each change is one small step, computed from the current state
in API Gateway: so a command that was killed at any point can be run again and continues.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from identity_service.plans import PLANS
from identity_service.store.accounts import SHARED_KEYS, gateway_key, get_account, shared_gateway_key
from identity_service.store.dynamodb import Item

#: The usage plan of the keys that accounts share which signed up in the console. No throttle: one caller's would hit all.
SHARED_PLAN: Final = "free-pool"
_STEPS: Final = 30  # for one account; it needs four
_PAUSE: Final = 0.2  # seconds, after a conflict with a concurrent change


class UnknownStack(Exception):
    """The stack does not exist, or was not deployed from template.yaml."""


class GatewayRefused(Exception):
    """API Gateway or CloudFormation rejected a call; the message is theirs."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A deployed template: its table, the id of each plan's usage plan, and the KMS key of webhooks' secrets."""

    name: str
    table: str
    usage_plans: Mapping[str, str]
    webhook_key: str | None = None


@dataclass(frozen=True, slots=True)
class GatewayKey:
    """A key in API Gateway. `plans` names the plans of this stack that it is attached to."""

    id: str
    name: str
    value: str
    enabled: bool
    plans: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Step:
    """One API call that brings an account's key closer to the table's state; `problem` describes what it fixes."""

    problem: str
    operation: str
    arguments: Mapping[str, Any]


def find_stack(name: str) -> Stack:
    """The stack of this name in the configured AWS account and region; UnknownStack, GatewayRefused."""
    try:
        (stack,) = _client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            raise UnknownStack(f"no stack {name}: check AWS credentials and region") from None
        raise GatewayRefused(str(error)) from error
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    try:
        usage_plans = {plan: outputs[f"UsagePlan{plan.capitalize()}"] for plan in PLANS}
        usage_plans[SHARED_PLAN] = outputs["UsagePlanFreePool"]
        return Stack(name, outputs["TableName"], usage_plans, outputs.get("WebhookKeyId"))
    except KeyError as missing:
        raise UnknownStack(f"stack {name} has no output {missing}: deploy it from this template first") from None


def usage_plan_of(account: Item) -> str:
    """The plan whose usage plan an account's key needs: its own, unless the account's rate limit is higher than that plan's.

    The usage plan of `enterprise` has no throttle, so only the exact count limits its accounts.
    """
    plan = PLANS[account["plan"]]
    return plan.name if account.get("per_minute", 0) <= plan.per_minute else "enterprise"


class Gateway:
    """The API Gateway keys of one stack."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._client = _client("apigateway")

    @property
    def webhook_key(self) -> str | None:
        """The KMS key of the stack that encrypts secrets of webhooks."""
        return self._stack.webhook_key

    def align(self, account: Item) -> list[str]:
        """Bring an account's key in line with the table and return the problems that were fixed. GatewayRefused."""
        shared = account.get("shared_key")
        fixed = [] if shared is None or "deleted_at" in account else self.align_shared(shared)
        return fixed + self._take_steps(account["id"], lambda: self._next_step(account, self._keys_of(account["id"])))

    def align_shared(self, number: int) -> list[str]:
        """Make one of the shared keys, or repair it, and return the problems that were fixed. GatewayRefused."""
        name = self._shared_name(number)
        return self._take_steps(
            name, lambda: self._next_step_shared(number, self._with_plans(self._read_keys(name).get(name, [])))
        )

    def _take_steps(self, what: str, next_step: Callable[[], Step | None]) -> list[str]:
        fixed: list[str] = []
        last_error = ""
        for _ in range(_STEPS):
            step = next_step()
            if step is None:
                return fixed
            try:
                getattr(self._client, step.operation)(**step.arguments)
                fixed.append(step.problem)
            except ClientError as error:
                if error.response["Error"]["Code"] not in ("ConflictException", "NotFoundException"):
                    raise GatewayRefused(str(error)) from error
                last_error = str(error)
                time.sleep(_PAUSE)
        raise GatewayRefused(f"the gateway key of {what} could not be repaired: {last_error or fixed[-1]}")

    def out_of_sync(self, accounts: list[Item]) -> Iterator[tuple[Item, str]]:
        """Accounts whose key differs from the table, each with its first problem. Changes nothing."""
        keys = self._all_keys()
        for account in accounts:
            step = self._next_step(account, keys.get(self._name(account["id"]), []))
            if step is not None:
                yield account, step.problem

    def shared_out_of_sync(self) -> Iterator[tuple[int, str, str]]:
        """The shared keys that are missing or wrong: number, name, first problem. Changes nothing."""
        keys = self._all_keys(self._shared_name(None))
        for number in range(SHARED_KEYS):
            name = self._shared_name(number)
            step = self._next_step_shared(number, keys.get(name, []))
            if step is not None:
                yield number, name, step.problem

    def orphans(self, accounts: list[Item]) -> list[GatewayKey]:
        """Keys of this stack that belong to no account."""
        known = {self._name(account["id"]) for account in accounts}
        return [key for name, keys in self._all_keys().items() if name not in known for key in keys]

    def delete(self, key: GatewayKey) -> None:
        """Delete a key, which also detaches it from its usage plans."""
        try:
            self._client.delete_api_key(apiKey=key.id)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NotFoundException":
                raise GatewayRefused(str(error)) from error

    def _next_step(self, account: Item, keys: list[GatewayKey]) -> Step | None:
        if "deleted_at" in account:
            problem = "is being deleted, and has a gateway key"
            return Step(problem, "delete_api_key", {"apiKey": keys[0].id}) if keys else None
        if "shared_key" in account:
            problem = "shares a gateway key, and has one of its own"
            return Step(problem, "delete_api_key", {"apiKey": keys[0].id}) if keys else None
        value, active = gateway_key(account["id"]), "suspended_at" not in account
        return self._towards(self._name(account["id"]), value, usage_plan_of(account), active, keys)

    def _next_step_shared(self, number: int, keys: list[GatewayKey]) -> Step | None:
        return self._towards(self._shared_name(number), shared_gateway_key(number), SHARED_PLAN, True, keys)

    def _towards(self, name: str, value: str, expected: str, active: bool, keys: list[GatewayKey]) -> Step | None:
        """The next step towards one key of this name and value, enabled or not, on the expected usage plan alone."""
        for key in keys:
            if key.value != value:
                return Step("a key with another value has its name", "delete_api_key", {"apiKey": key.id})
        if not keys:
            new = {"name": name, "value": value, "enabled": active, "description": "Identity OS"}
            return Step("has no gateway key", "create_api_key", new)
        key = keys[0]
        if key.enabled != active:
            problem = "its gateway key is disabled" if active else "is suspended, and its gateway key is not disabled"
            change = [{"op": "replace", "path": "/enabled", "value": str(active).lower()}]
            return Step(problem, "update_api_key", {"apiKey": key.id, "patchOperations": change})
        for plan in sorted(key.plans - {expected}):
            # A key can be on only one usage plan of a stage, so it is detached from the old one first. Until it is attached to
            # the new one, callers get 503 and retry.
            arguments = {"usagePlanId": self._stack.usage_plans[plan], "keyId": key.id}
            return Step(f"is on usage plan {plan}, not {expected}", "delete_usage_plan_key", arguments)
        if expected not in key.plans:
            arguments = {"usagePlanId": self._stack.usage_plans[expected], "keyId": key.id, "keyType": "API_KEY"}
            return Step(f"is not on usage plan {expected}", "create_usage_plan_key", arguments)
        return None

    def _keys_of(self, account_id: str) -> list[GatewayKey]:
        return self._with_plans(self._read_keys(self._name(account_id)).get(self._name(account_id), []))

    def _with_plans(self, keys: list[GatewayKey]) -> list[GatewayKey]:
        plan_of = {usage_plan: plan for plan, usage_plan in self._stack.usage_plans.items()}
        for key in keys:
            usage_plans = self._pages("get_usage_plans", keyId=key.id)
            key.plans.update(plan_of[plan["id"]] for plan in usage_plans if plan["id"] in plan_of)
        return keys

    def _all_keys(self, prefix: str | None = None) -> dict[str, list[GatewayKey]]:
        keys = self._read_keys(prefix or self._name("acct_"))
        by_id = {key.id: key for same_name in keys.values() for key in same_name}
        for plan, usage_plan in self._stack.usage_plans.items():
            for entry in self._pages("get_usage_plan_keys", usagePlanId=usage_plan):
                if entry["id"] in by_id:
                    by_id[entry["id"]].plans.add(plan)
        return keys

    def _read_keys(self, prefix: str) -> dict[str, list[GatewayKey]]:
        keys: dict[str, list[GatewayKey]] = {}
        for entry in self._pages("get_api_keys", nameQuery=prefix, includeValues=True):
            if entry.get("name", "").startswith(prefix):
                key = GatewayKey(entry["id"], entry["name"], entry["value"], entry["enabled"])
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

    def _shared_name(self, number: int | None) -> str:
        return f"{self._stack.name}-shared-" + ("" if number is None else f"{number:02d}")


def align(gateway: Gateway | None, account_id: str) -> None:
    """Bring the account's key in line with the table, where there is a gateway. UnknownAccount, GatewayRefused."""
    account = get_account(account_id)
    if gateway is not None:
        gateway.align(account)


@cache
def _session() -> Any:
    return botocore.session.get_session()


def _client(service: str) -> Any:
    # The control plane allows only a few calls a second, so a repair of many accounts needs adaptive retries.
    config = Config(retries={"total_max_attempts": 10, "mode": "adaptive"})
    return _session().create_client(service, config=config)
