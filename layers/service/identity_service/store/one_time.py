"""Things that the console keeps for a short while: log-ins under way, which are used once, and how often somebody tried.

LOGIN#sha256(state) / LOGIN      what a log-in needs when the person comes back: nonce, PKCE verifier; expires (TTL)
RATE#sha256(what, who) / <n>     how often in the n-th window; expires (TTL)
"""

from hashlib import sha256

from identity_service.clock import now
from identity_service.store import dynamodb


def keep_login(state: str, value: str, seconds: int) -> None:
    """Keep what a log-in needs until it is taken."""
    dynamodb.write(dynamodb.put(_login_key(state) | {"value": value, "expires": int(now()) + seconds}))


def take_login(state: str) -> str | None:
    """What was kept, once: None when there is nothing, when it expired, and when somebody took it before."""
    item = dynamodb.get(_login_key(state))
    if item is None:
        return None
    try:
        # Of two who read it only one deletes it.
        dynamodb.write(dynamodb.delete(_login_key(state), "attribute_exists(PK)"), repeatable=False)
    except dynamodb.Conflict:
        return None
    value: str = item["value"]
    return value if item["expires"] > now() else None


def within_rate(what: str, who: str, limit: int, seconds: int) -> bool:
    """Count one try of somebody, and whether that is within `limit` tries in this window of `seconds`."""
    digest, window = sha256(f"{what}#{who}".encode()).hexdigest(), int(now() // seconds)
    key = {"PK": f"RATE#{digest}", "SK": str(window)}
    values = {":one": 1, ":until": (window + 2) * seconds}
    tried = dynamodb.update(key, "ADD tries :one SET expires = :until", values, returning=True)
    count: int = dynamodb.write(tried, repeatable=False)["tries"]
    return count <= limit


def _login_key(state: str) -> dict[str, str]:
    return {"PK": f"LOGIN#{sha256(state.encode()).hexdigest()}", "SK": "LOGIN"}
