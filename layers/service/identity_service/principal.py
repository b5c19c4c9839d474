"""The caller's principal: the authorizer's result, carried in API Gateway's request context."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from identity_service.plans import PLANS
from identity_service.scopes import OPERATOR


@dataclass(frozen=True, slots=True)
class Principal:
    """An account and its limits: requests a minute, cycles a month, instances (None: unlimited).

    `scope` is the key's (`scopes`). `bound_to`: the only instances that the key is for; empty: all of the account.
    """

    account_id: str
    plan: str
    key_id: str
    per_minute: int
    per_month: int
    scope: str
    bound_to: tuple[str, ...] = ()
    #: The number of the gateway key that the account shares with others; None: it has its own. The authorizer's alone.
    shared_key: int | None = None

    @property
    def instances(self) -> int | None:
        """The largest number of instances that the plan allows."""
        return PLANS[self.plan].instances

    def context(self) -> dict[str, str]:
        """The principal as authorizer context; API Gateway accepts only flat strings."""
        return {
            "account_id": self.account_id,
            "plan": self.plan,
            "key_id": self.key_id,
            "per_minute": str(self.per_minute),
            "per_month": str(self.per_month),
            "scope": self.scope,
            "bound_to": ",".join(self.bound_to),
        }


def principal_of(event: Mapping[str, Any]) -> Principal | None:
    """The principal in an API Gateway event; None when the event has none."""
    context = event.get("requestContext", {}).get("authorizer") or {}
    try:
        return Principal(
            context["account_id"],
            PLANS[context["plan"]].name,
            context["key_id"],
            int(context["per_minute"]),
            int(context["per_month"]),
            # An authorizer of an older deployment names no scope for a minute: its keys may do everything.
            context.get("scope", OPERATOR),
            tuple(context.get("bound_to", "").split(",")) if context.get("bound_to") else (),
        )
    except KeyError:
        return None
