"""What a key may do. A key has a scope, and may be bound to instances.

    read       GET and HEAD, but of webhooks
    agent      also creates instances, processes, simulates, assesses goals: what a bounded agent may hold
    operator   everything

An agent key cannot reset, retest, rename, delete: so the agent that holds it cannot unbound itself. A key that is bound to
instances sees no other, and creates none. The authorizer's policy covers the whole stage, because API Gateway caches it by key;
so the functions decide. Source: docs/api.md, "Keys".
"""

from typing import Final

READ: Final = "read"
AGENT: Final = "agent"
OPERATOR: Final = "operator"
#: All scopes; each may do what those before it may do.
SCOPES: Final = (READ, AGENT, OPERATOR)

_WEBHOOKS: Final = "/v1/webhooks"
_INSTANCES: Final = "/v1/instances"
_INSTANCE: Final = f"{_INSTANCES}/{{instance_id}}"
#: What an agent may do beyond reading. Whatever is neither here nor a read needs an operator.
_AGENT: Final = {
    ("POST", _INSTANCES),
    ("POST", f"{_INSTANCE}/process"),
    ("POST", f"{_INSTANCE}/process/batch"),
    ("POST", f"{_INSTANCE}/simulate"),
    ("POST", f"{_INSTANCE}/goals/assess"),
}


def needed(method: str, resource: str) -> str:
    """The least scope for an operation; `resource` is the route's path, such as /v1/instances/{instance_id}."""
    if resource.startswith(_WEBHOOKS):
        # Who is told of an agent, and where, is the operator's affair: a URL may hold what is secret.
        return OPERATOR
    if method in ("GET", "HEAD"):
        return READ
    return AGENT if (method, resource) in _AGENT else OPERATOR


def allows(scope: str, needs: str) -> bool:
    """Whether a key of this scope may do what needs that one. A scope that nobody knows allows nothing."""
    return scope in SCOPES and SCOPES.index(scope) >= SCOPES.index(needs)


def creates(method: str, resource: str) -> bool:
    """Whether the operation makes a new instance, which a key that is bound to instances may not."""
    return method == "POST" and resource in (_INSTANCES, f"{_INSTANCE}/fork")


def instance_in(path: str, resource: str) -> str | None:
    """The instance that a path is about, None for one that is about none."""
    if not resource.startswith(_INSTANCE):
        return None
    return path[len(_INSTANCES) + 1 :].partition("/")[0]
