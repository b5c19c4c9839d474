"""The Lambda authorizer: verifies an API key. API Gateway caches its result for 60 seconds.

Returns a policy with the principal, or raises Exception("Unauthorized"), which API Gateway turns into a 401.
"""

from typing import Any

from identity_service.principal import Principal
from identity_service.store.accounts import authenticate, gateway_key_of


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Handle a TOKEN authorizer's event; its `authorizationToken` is the whole Authorization header."""
    scheme, _, key = event.get("authorizationToken", "").partition(" ")
    principal = authenticate(key) if scheme.lower() == "bearer" else None
    if principal is None:
        raise Exception("Unauthorized")
    return _allow(principal, event["methodArn"])


def _allow(principal: Principal, method_arn: str) -> dict[str, Any]:
    # API Gateway caches the policy by key, so it must cover every method of the stage, not only the requested one.
    api, stage = method_arn.split("/")[:2]
    statement = {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": f"{api}/{stage}/*"}
    return {
        "principalId": principal.account_id,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": principal.context(),
        "usageIdentifierKey": gateway_key_of(principal),
    }
