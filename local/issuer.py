"""A small OpenID Connect issuer for the local server: signing up is typing an e-mail address. For this machine only.

It enforces what a real one does: code flow only, PKCE with S256, registered redirect addresses, codes that work once and for a
minute, signed id tokens. It answers only where it is asked by a loopback name. Its key is kept in the local folder.
"""

import html
import json
import secrets
import time
from base64 import b64decode, urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

_LOOPBACK: Final = {"localhost", "127.0.0.1", "[::1]"}
_CODE_LASTS: Final = 60
_SESSION_LASTS: Final = 12 * 3600
_COOKIE: Final = "issuer_session"


@dataclass(frozen=True, slots=True)
class Client:
    """Who may ask for a log-in, and where answers and log-outs may go. `secret`: empty for a public client."""

    id: str
    secret: str
    redirects: tuple[str, ...]
    logouts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Code:
    email: str
    redirect: str
    challenge: str
    nonce: str
    until: float


class Refused(Exception):
    """The request is not allowed; the argument says why. Never sent on to an address that is not registered."""


def issuer(address: str, client: Client, key_file: Path) -> Starlette:
    """The issuer as an app. `address`: its own, such as http://localhost:8010."""
    key, codes = _kept_key(key_file), dict[str, _Code]()

    async def metadata(_: Request) -> Response:
        return JSONResponse(
            {
                "issuer": address,
                "authorization_endpoint": f"{address}/authorize",
                "token_endpoint": f"{address}/token",
                "jwks_uri": f"{address}/jwks",
                "end_session_endpoint": f"{address}/logout",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "none"],
            }
        )

    async def jwks(_: Request) -> Response:
        return JSONResponse({"keys": [key.as_dict(private=False)]})

    async def authorize(request: Request) -> Response:
        asked = {name: request.query_params.get(name, "") for name in _ASKED}
        _check(client, asked)
        known = _session(request, key, address)
        if request.method == "GET" and not known:
            return _form(asked, client)
        email = known or str((await request.form()).get("email", "")).strip().lower()
        if not known and (email.count("@") != 1 or not all(email.split("@")) or len(email) > 254 or not email.isprintable()):
            return _form(asked, client, "Write an e-mail address, such as you@example.com.")
        code = secrets.token_urlsafe(32)
        codes[code] = _Code(email, asked["redirect_uri"], asked["code_challenge"], asked["nonce"], time.time() + _CODE_LASTS)
        back = f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"
        response = RedirectResponse(back, 303)
        claims = {"iss": address, "aud": _COOKIE, "sub": email, "exp": int(time.time()) + _SESSION_LASTS}
        # Browsers keep cookies by name of the host and not by port: the path keeps this one away from the console.
        response.set_cookie(_COOKIE, _signed(claims, key), httponly=True, samesite="lax", path="/authorize")
        return response

    async def token(request: Request) -> Response:
        form = await request.form()
        if not _authenticated(request, client, str(form.get("client_id", ""))):
            return JSONResponse({"error": "invalid_client"}, 401)
        code = codes.pop(str(form.get("code", "")), None)
        verifier = str(form.get("code_verifier", ""))
        challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        if (
            form.get("grant_type") != "authorization_code"
            or code is None
            or code.until < time.time()
            or form.get("redirect_uri") != code.redirect
            or not compare_digest(challenge, code.challenge)
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        moment = int(time.time())
        claims = {
            "iss": address,
            "aud": client.id,
            "sub": subject(code.email),
            "email": code.email,
            "email_verified": True,
            "iat": moment,
            "exp": moment + 300,
        }
        if code.nonce:
            claims["nonce"] = code.nonce
        answer = {"access_token": secrets.token_urlsafe(32), "token_type": "Bearer", "expires_in": 300}
        return JSONResponse(answer | {"id_token": _signed(claims, key)}, headers={"Cache-Control": "no-store"})

    async def logout(request: Request) -> Response:
        back = request.query_params.get("post_logout_redirect_uri", "")
        if back not in client.logouts:
            raise Refused("post_logout_redirect_uri is not registered")
        response = RedirectResponse(back, 303)
        response.delete_cookie(_COOKIE, path="/authorize")
        return response

    async def refused(_: Request, error: Exception) -> Response:
        return _page("Refused", f"<p>{html.escape(str(error))}</p>", status=400)

    app = Starlette(
        routes=[
            Route("/.well-known/openid-configuration", metadata),
            Route("/jwks", jwks),
            Route("/authorize", authorize, methods=["GET", "POST"]),
            Route("/token", token, methods=["POST"]),
            Route("/logout", logout),
        ],
        exception_handlers={Refused: refused},
    )
    app.add_middleware(_LoopbackOnly)
    return app


def subject(email: str) -> str:
    """The `sub` of an address."""
    return sha256(email.encode()).hexdigest()[:32]


#: The parameters of an authorization request that count here.
_ASKED: Final = (
    "client_id", "redirect_uri", "response_type", "scope", "state", "nonce", "code_challenge", "code_challenge_method",
)  # fmt: skip


class _LoopbackOnly:
    """Refuses requests that name another host: a page elsewhere whose name leads to this machine gets nothing."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        app = self.app
        if scope["type"] == "http":
            host = urlsplit(f"//{Request(scope).headers.get('host', '')}").netloc
            if (host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host) not in _LOOPBACK:
                app = JSONResponse({"error": "this issuer is for this machine only"}, 421)
        await app(scope, receive, send)


def _check(client: Client, asked: dict[str, str]) -> None:
    if asked["client_id"] != client.id:
        raise Refused("client_id is not registered")
    if asked["redirect_uri"] not in client.redirects:
        raise Refused("redirect_uri is not registered")
    if asked["response_type"] != "code":
        raise Refused("response_type must be code")
    if "openid" not in asked["scope"].split():
        raise Refused("scope must have openid")
    if asked["code_challenge_method"] != "S256" or len(asked["code_challenge"]) != 43:
        raise Refused("PKCE with code_challenge_method S256 is required")
    if not asked["state"]:
        raise Refused("state is required")


def _authenticated(request: Request, client: Client, client_id: str) -> bool:
    header = request.headers.get("authorization", "")
    if not client.secret:
        return client_id == client.id
    try:
        name, _, secret = b64decode(header.removeprefix("Basic ")).decode().partition(":")
    except ValueError:
        return False
    return compare_digest(unquote(name), client.id) and compare_digest(unquote(secret), client.secret)


def _signed(claims: dict[str, Any], key: RSAKey) -> str:
    return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)


def _session(request: Request, key: RSAKey, address: str) -> str:
    """The address of who is logged in at the issuer, empty for nobody."""
    try:
        claims = jwt.decode(request.cookies.get(_COOKIE, ""), key, algorithms=["RS256"]).claims
    except (JoseError, ValueError):
        return ""
    known = (claims.get("iss"), claims.get("aud")) == (address, _COOKIE) and claims.get("exp", 0) > time.time()
    return str(claims["sub"]) if known else ""


def _kept_key(path: Path) -> RSAKey:
    if path.exists():
        return RSAKey.import_key(json.loads(path.read_text()))
    key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)
    path.parent.mkdir(exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(key.as_dict(private=True)))
    return key


def _form(asked: dict[str, str], client: Client, problem: str = "") -> Response:
    told = f"<p role='alert'>{html.escape(problem)}</p>" if problem else ""
    action = html.escape(f"/authorize?{urlencode(asked)}")
    return _page(
        "Log in on this machine",
        f"<p>The local server has no passwords: type any address to sign up or log in.</p>{told}"
        f"<form method='post' action='{action}'><label>E-mail address <input type='email' name='email' required autofocus "
        "placeholder='you@example.com' autocomplete='email'></label> <button>Continue</button></form>",
        400 if problem else 200,
        urlsplit(client.redirects[0]).netloc,
    )


def _page(title: str, body: str, status: int = 200, back: str = "") -> Response:
    policy = f"default-src 'none'; style-src 'unsafe-inline'; form-action 'self' {'http://' + back if back else ''}"
    style = (
        "body{font:15px/24px system-ui,sans-serif;max-width:420px;margin:15vh auto;padding:0 20px;color-scheme:light dark}"
        "label{display:grid;gap:4px}input,button{font:inherit;padding:6px 12px;margin-bottom:14px}h1{font-size:24px}"
    )
    document = (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"<meta name='color-scheme' content='light dark'><title>{title}</title><style>{style}</style></head>"
        f"<body><main><h1>{title}</h1>{body}</main></body></html>"
    )
    return HTMLResponse(document, status, {"Content-Security-Policy": policy, "Cache-Control": "no-store"})
