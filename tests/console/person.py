"""Somebody in front of the console, in process: a client that is logged in, without the way over the issuer."""

import re
from contextlib import contextmanager

import httpx
from starlette.responses import Response

from functions.console import cookies
from functions.console.config import config
from identity_service.roles import OWNER
from identity_service.store import accounts, dynamodb, sessions, users
from tests.conftest import _InProcess

BASE = "http://localhost:8000/console"
ISSUER = "http://localhost:8010"
SETTINGS = {"BASE": BASE, "ISSUER": ISSUER, "CLIENT_ID": "console", "SESSION_SECRET": "secret of the tests"}


def prepare_console(monkeypatch):
    """The console's settings, for the rest of the test."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(f"IDENTITY_OS_CONSOLE_{name}", value)
    config.cache_clear()


@contextmanager
def configured(monkeypatch, **settings):
    """The console's settings; `settings` replaces some."""
    values = SETTINGS | settings
    for name, value in values.items():
        monkeypatch.setenv(f"IDENTITY_OS_CONSOLE_{name}", value)
    config.cache_clear()
    try:
        yield
    finally:
        config.cache_clear()


def csrf_of(response):
    """The token of the first form of a page."""
    return re.search(r'name="csrf" value="([^"]+)"', response.text)[1]


class Person:
    """Somebody with a role in an account: their own, unless they are a member of another's."""

    def __init__(self, edge, email="you@acme.example", account_id=None, role=OWNER):
        self.user = users.sign_in(ISSUER, email, email)
        if account_id is None:
            account_id = users.create_account(self.user, "test")
        else:
            dynamodb.write_all(users.join(account_id, self.user, role))
        self.account_id = account_id
        self.client = httpx.Client(transport=_InProcess(edge), base_url=BASE)
        self.session = sessions.begin(self.user, account_id)
        sealed = Response()
        cookies.keep(sealed, self.session)
        self.client.headers["Cookie"] = sealed.headers["set-cookie"].partition(";")[0]
        self.edge, self._api = edge, None

    def get(self, path, **options):
        return self.client.get(path, **options)

    def post(self, path, csrf=None, **fields):
        """Send a form with the session's CSRF token, or with another one."""
        return self.client.post(path, data={"csrf": self.session.csrf if csrf is None else csrf, **fields})

    @property
    def api(self):
        """A client of the API with a key of the account."""
        if self._api is None:
            key = accounts.create_key(self.account_id, "of the tests").secret
            headers = {"Authorization": f"Bearer {key}"}
            self._api = httpx.Client(transport=_InProcess(self.edge), base_url="http://edge/v1", headers=headers)
        return self._api

    def agent(self, name="Aria", *reports):
        """A new agent that made these reports: (mode, strength, times)."""
        made = self.api.post("/instances", json={"name": name})
        assert made.status_code == 201, made.text
        instance_id = made.json()["data"]["id"]
        for report in reports:
            self.report(instance_id, *report)
        return instance_id

    def report(self, instance_id, mode="ORDER", strength=0.6, times=1, **fields):
        """Reports of an agent, in one request."""
        observation = {"mode_target": mode, "signal_strength": strength, **fields}
        done = self.api.post(f"/instances/{instance_id}/process/batch", json={"observations": [observation] * times})
        assert done.status_code == 200, done.text
