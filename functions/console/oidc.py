"""OpenID Connect, by Authlib: code flow, PKCE with S256, state, nonce, the id token verified against the issuer's keys.

What a log-in needs on its way back is in the table and is taken once; a cookie ties it to the browser that began it.
"""

from functools import cache
from typing import Any, Final

from authlib.integrations.starlette_client import OAuth
from fastapi import Request, Response

from functions.console.config import config
from identity_service.store import one_time

#: How long a log-in may take, in seconds.
LOGIN_LASTS: Final = 600


class _OneTime:
    """Authlib's cache, over the table: a value is read once."""

    async def get(self, key: str) -> str | None:
        return one_time.take_login(key)

    async def set(self, key: str, value: str, _expires: int) -> None:
        one_time.keep_login(key, value, LOGIN_LASTS)

    async def delete(self, key: str) -> None:
        """`get` has deleted it."""


@cache
def client() -> Any:
    """The client at the issuer. Its metadata is read at the first log-in, its keys at the first token."""
    oauth = OAuth(cache=_OneTime())
    return oauth.register(
        "issuer",
        client_id=config().client_id,
        client_secret=config().client_secret or None,
        server_metadata_url=f"{config().issuer.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={
            "scope": "openid email",
            "code_challenge_method": "S256",
            "token_endpoint_auth_method": "client_secret_basic" if config().client_secret else "none",
            "timeout": 5,
        },
    )


async def begin(request: Request, callback: str) -> Response:
    """The redirect to the issuer. `request.scope["session"]` has then what the browser must bring back."""
    response: Response = await client().authorize_redirect(request, callback)
    return response


async def claims(request: Request) -> dict[str, Any]:
    """The verified claims of the person who came back. OAuthError, JoseError and others when anything does not fit."""
    token = await client().authorize_access_token(request)
    return dict(token["userinfo"])


async def logout_url(back: str) -> str:
    """Where the issuer ends its own session and sends the browser back."""
    from urllib.parse import urlencode

    address = config().logout_url or (await client().load_server_metadata()).get("end_session_endpoint")
    if not address:
        return back
    # Cognito wants logout_uri, OpenID Connect's own name is the other; both ignore what they do not know.
    asked = {"client_id": config().client_id, "logout_uri": back, "post_logout_redirect_uri": back}
    return f"{address}?{urlencode(asked)}"
