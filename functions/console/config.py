"""The console's settings: its own address, the issuer, the secrets. Read once, never from a request.

IDENTITY_OS_CONSOLE_BASE           https://…/console: every link, redirect and cookie path begins here
IDENTITY_OS_CONSOLE_ISSUER         the issuer's address, as in its tokens
IDENTITY_OS_CONSOLE_LOGIN_ORIGIN   where its login pages are, if elsewhere
IDENTITY_OS_CONSOLE_LOGOUT_URL     where it logs out, if its metadata does not say
IDENTITY_OS_CONSOLE_CLIENT_ID      the client's id and secret there; the secret may be empty
IDENTITY_OS_CONSOLE_CLIENT_SECRET
IDENTITY_OS_CONSOLE_SESSION_SECRET what cookies are sealed with

A name that ends in _PARAMETER is that of an SSM parameter to read instead, one that ends in _SECRET that of a secret of Secrets
Manager: a value in the template would be a circle (API -> function -> client -> API).
"""

import os
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

_PREFIX: Final = "IDENTITY_OS_CONSOLE_"
#: How long values of SSM and Secrets Manager are kept, in seconds. A process seldom lives longer.
_KEPT: Final = 3600


@dataclass(frozen=True, slots=True)
class Config:
    """`base`, `issuer`, `login_origin`, `logout_url`, `client_id`, `client_secret`: as above. `session_key`: 32 bytes."""

    base: str
    issuer: str
    login_origin: str
    logout_url: str
    client_id: str
    client_secret: str
    session_key: bytes

    @property
    def path(self) -> str:
        """The path of the console, as a browser sees it: /console, or /prod/console behind a stage."""
        return urlsplit(self.base).path

    @property
    def https(self) -> bool:
        """Whether the console is served over TLS."""
        return self.base.startswith("https://")

    @property
    def api(self) -> str:
        """The address that SDKs take: the API's without /v1."""
        return self.base.removesuffix("/console")


@cache
def config() -> Config:
    """The settings of this process."""
    issuer = _value("ISSUER")
    login = urlsplit(_value("LOGIN_ORIGIN", issuer))
    return Config(
        base=_value("BASE").rstrip("/"),
        issuer=issuer,
        login_origin=f"{login.scheme}://{login.netloc}",
        logout_url=_value("LOGOUT_URL", ""),
        client_id=_value("CLIENT_ID"),
        client_secret=_value("CLIENT_SECRET", ""),
        session_key=sha256(_value("SESSION_SECRET").encode()).digest(),
    )


def _value(name: str, default: str | None = None) -> str:
    value = os.environ.get(_PREFIX + name)
    if value:
        return value
    parameter, secret = os.environ.get(f"{_PREFIX}{name}_PARAMETER"), os.environ.get(f"{_PREFIX}{name}_SECRET")
    if parameter or secret:
        from aws_lambda_powertools.utilities import parameters

        found = (
            parameters.get_parameter(parameter, max_age=_KEPT)
            if parameter
            else parameters.get_secret(str(secret), max_age=_KEPT)
        )
        return str(found)
    if default is None:
        raise RuntimeError(f"{_PREFIX}{name} is not set")
    return default
