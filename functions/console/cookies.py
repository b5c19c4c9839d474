"""Cookies: JSON, encrypted and authenticated (JWE, A256GCM) with the session secret, so that a forged one is no cookie at all.

Each is HttpOnly, SameSite=Lax, for the path of the console only, and Secure wherever the console is served over TLS.
"""

import json
from typing import Any, Final

from fastapi import Request, Response
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from functions.console.config import config
from identity_service.clock import now
from identity_service.store.sessions import LASTS, Session

SESSION: Final = "idos_session"
LOGIN: Final = "idos_login"
_HEADER: Final = {"alg": "dir", "enc": "A256GCM"}


def put(response: Response, name: str, values: dict[str, Any], seconds: int) -> None:
    """Set a cookie for some seconds."""
    text = seal(name, values, seconds)
    response.set_cookie(name, text, max_age=seconds, path=config().path, secure=config().https, httponly=True, samesite="lax")


def keep(response: Response, session: Session) -> None:
    """Give the browser the cookie of a session: its id, and where its record is. No role and no token is in it."""
    values = {"id": session.id, "ref": session.user.ref, "account": session.account_id}
    put(response, SESSION, values, LASTS)


def read(request: Request, name: str) -> dict[str, Any] | None:
    """The values of a cookie; None when there is none, or not one of ours, or an old one."""
    return unseal(name, request.cookies.get(name) or "")


def seal(name: str, values: dict[str, Any], seconds: int) -> str:
    """The values as a text that only we can read and make. The name is sealed in, so that one kind cannot stand for another."""
    sealed = {**values, "name": name, "until": int(now()) + seconds}
    return jwe.encrypt_compact(_HEADER, json.dumps(sealed).encode(), _key())


def unseal(name: str, text: str) -> dict[str, Any] | None:
    """The values of a sealed text; None when it is not one of ours, of another name, or an old one."""
    if not text:
        return None
    try:
        values = json.loads(jwe.decrypt_compact(text, _key()).plaintext or b"null")
    except (JoseError, ValueError):
        return None
    if not isinstance(values, dict) or values.get("name") != name or values["until"] <= now():
        return None
    return values


def drop(response: Response, name: str) -> None:
    """Remove a cookie."""
    response.delete_cookie(name, path=config().path, secure=config().https, httponly=True, samesite="lax")


def _key() -> OctKey:
    return OctKey.import_key(config().session_key)
