"""Logging in over the local issuer, in process: what is verified, what is refused, what a first log-in makes."""

import base64
import json
import re
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

import httpx
import httpx2
import pytest

from functions.console import oidc
from functions.console.config import config
from functions.console.urls import safe_next
from identity_service.store import accounts, dynamodb, one_time, users
from local import issuer as local_issuer
from local.console import prepare
from tests.conftest import _InProcess
from tests.console.person import BASE, ISSUER


class Browser:
    """Follows redirects between console and issuer, and keeps cookies by host and port."""

    def __init__(self, console, issuer):
        self.clients = {
            "localhost:8000": httpx.Client(transport=_InProcess(console)),
            "localhost:8010": httpx.Client(transport=_InProcess(issuer)),
        }
        self.visited = []

    def go(self, url, method="GET", **options):
        for _ in range(10):
            self.visited.append(url)
            response = self.clients[urlsplit(url).netloc].request(method, url, **options)
            if response.status_code not in (302, 303):
                return response
            url, method, options = response.headers["Location"], "GET", {}
        raise AssertionError("too many redirects")

    def log_in(self, email="you@acme.example", target=""):
        form = self.go(f"{BASE}/login" + (f"?next={target}" if target else ""))
        action = re.search(r"action='([^']+)'", form.text)[1].replace("&amp;", "&")
        return self.go(ISSUER + action, "POST", data={"email": email})


@pytest.fixture
def issuer(monkeypatch, tmp_path):
    for name in ("BASE", "ISSUER", "CLIENT_ID", "CLIENT_SECRET", "SESSION_SECRET"):
        monkeypatch.setenv(f"IDENTITY_OS_CONSOLE_{name}", "")  # put back after the test
    monkeypatch.setattr("functions.console.fetch_htmx.fetch", lambda folder: True)
    app = prepare(BASE, ISSUER, tmp_path)
    config.cache_clear()
    oidc.client.cache_clear()
    oidc.client().client_kwargs["transport"] = httpx2.ASGITransport(app=app)
    yield app
    config.cache_clear()
    oidc.client.cache_clear()


@pytest.fixture
def browser(edge, issuer):
    return Browser(edge, issuer)


@pytest.fixture
def claimed(monkeypatch):
    """Changes the claims of id tokens that the issuer signs; None removes one."""
    changes = {}
    sign = local_issuer._signed

    def changed(claims, key):
        if claims["aud"] == "console":
            claims = {name: value for name, value in (claims | changes).items() if value is not None}
        return sign(claims, key)

    monkeypatch.setattr(local_issuer, "_signed", changed)
    return changes


def test_a_first_log_in_makes_an_account_and_later_ones_find_it(browser, edge, issuer):
    page = browser.log_in()
    assert (page.status_code, browser.visited[-1]) == (200, f"{BASE}/welcome")
    (account,) = accounts.list_accounts()
    assert (account["plan"], account["name"], account["owners"]) == ("free", "you", 1)
    (member,) = users.members(account["id"])
    assert (member["role"], member["email"]) == ("owner", "you@acme.example")
    again = Browser(edge, issuer)
    again.log_in("YOU@acme.example")
    assert len(accounts.list_accounts()) == 1
    Browser(edge, issuer).log_in("else@acme.example")
    assert len(accounts.list_accounts()) == 2


def test_two_first_log_ins_at_once_make_one_account(table, monkeypatch):
    user = users.sign_in(ISSUER, "sub", "you@acme.example")
    get = dynamodb.get

    def overtaken(key, attributes=()):
        found = get(key, attributes)
        if key["SK"] == "USER":
            monkeypatch.setattr(dynamodb, "get", get)
            overtaken.first = users.create_account(user, "first")
        return found

    monkeypatch.setattr(dynamodb, "get", overtaken)
    second = users.create_account(user, "second")
    assert second == overtaken.first
    assert [account["id"] for account in accounts.list_accounts()] == [second]


def test_the_request_has_state_nonce_and_pkce_and_the_table_keeps_no_state(browser):
    browser.go(f"{BASE}/login")
    asked = {name: value[0] for name, value in parse_qs(urlsplit(browser.visited[-1]).query).items()}
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["state"]) >= 20
    assert len(asked["nonce"]) >= 16
    assert asked["redirect_uri"] == f"{BASE}/callback"
    assert asked["scope"] == "openid email"


@pytest.mark.parametrize(
    "change",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "somebody else"},
        {"iss": "https://evil.example"},
        {"exp": 1_000_000_000},
        {"email_verified": False},
        {"email_verified": None},
        {"email": None},
        {"sub": None},
    ],
    ids=str,
)
def test_an_id_token_that_does_not_fit_is_refused(browser, claimed, change):
    claimed |= change
    page = browser.log_in()
    assert page.status_code in (400, 403)
    assert accounts.list_accounts() == []
    assert browser.clients["localhost:8000"].get(f"{BASE}/welcome").status_code == 303  # nobody is logged in


def test_a_token_of_another_key_or_none_is_refused(browser, monkeypatch, tmp_path):
    other = local_issuer._kept_key(tmp_path / "other.json")
    sign = local_issuer._signed
    monkeypatch.setattr(local_issuer, "_signed", lambda claims, key: sign(claims, other if claims["aud"] == "console" else key))
    assert browser.log_in().status_code == 400

    def unsigned(claims, key):
        if claims["aud"] != "console":
            return sign(claims, key)
        parts = ({"alg": "none"}, claims)
        return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts) + "."

    monkeypatch.setattr(local_issuer, "_signed", unsigned)
    browser.clients["localhost:8010"].cookies.clear()
    assert browser.log_in().status_code == 400
    assert accounts.list_accounts() == []


def test_log_out_ends_the_session_here_and_at_the_issuer(browser):
    page = browser.log_in()
    token = re.search(r'name="csrf" value="([^"]+)"', page.text)[1]
    kept = dict(browser.clients["localhost:8000"].cookies)
    assert browser.go(f"{BASE}/logout", "POST", data={"csrf": token}).status_code == 200
    assert browser.visited[-1] == BASE
    browser.clients["localhost:8000"].cookies.update(kept)
    browser.go(f"{BASE}/welcome")
    assert "/authorize" in browser.visited[-1]


def test_log_ins_of_one_address_are_limited(browser, stopped_clock):
    from functions.console.pages.login import LOGINS_A_MINUTE

    statuses = [browser.clients["localhost:8000"].get(f"{BASE}/login").status_code for _ in range(LOGINS_A_MINUTE + 1)]
    assert statuses == [302] * LOGINS_A_MINUTE + [429]
    stopped_clock.time += 60
    assert browser.clients["localhost:8000"].get(f"{BASE}/login").status_code == 302


def test_without_the_issuer_there_is_a_page_that_says_so(browser):
    def gone(request):
        raise httpx2.ConnectError("refused")

    oidc.client.cache_clear()
    oidc.client().client_kwargs["transport"] = httpx2.MockTransport(gone)
    response = browser.clients["localhost:8000"].get(f"{BASE}/login")
    assert (response.status_code, "Nobody can log in now" in response.text) == (503, True)


VERIFIER = "v" * 43
ASKED = {
    "client_id": "console",
    "redirect_uri": f"{BASE}/callback",
    "response_type": "code",
    "scope": "openid email",
    "state": "s",
    "nonce": "n",
    "code_challenge": base64.urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode(),
    "code_challenge_method": "S256",
}


@pytest.fixture
def client(issuer):
    return httpx.Client(transport=_InProcess(issuer), base_url=ISSUER)


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": "other"},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": f"{BASE}/callback/../x"},
        {"response_type": "token"},
        {"scope": "email"},
        {"state": ""},
        {"code_challenge": ""},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": ""},
    ],
    ids=str,
)
def test_the_issuer_refuses_and_redirects_nowhere(client, change):
    for method in ("GET", "POST"):
        response = client.request(
            method, "/authorize", params=ASKED | change, data={"email": "a@b.example"} if method == "POST" else None
        )
        assert response.status_code == 400
        assert "Location" not in response.headers


def code_of(client):
    response = client.post("/authorize", params=ASKED, data={"email": "a@b.example"})
    return parse_qs(urlsplit(response.headers["Location"]).query)["code"][0]


def token(client, code, **changes):
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": f"{BASE}/callback", "code_verifier": VERIFIER}
    return client.post("/token", data=form | changes, auth=("console", config().client_secret))


def test_a_code_works_once_with_its_verifier_and_its_client(client):
    assert token(client, code_of(client), code_verifier="w" * 43).json() == {"error": "invalid_grant"}
    assert token(client, code_of(client), redirect_uri=BASE).json() == {"error": "invalid_grant"}
    assert client.post("/token", data={"code": code_of(client)}, auth=("console", "guessed")).status_code == 401
    code = code_of(client)
    assert token(client, code).status_code == 200
    assert token(client, code).json() == {"error": "invalid_grant"}


def test_the_issuer_answers_loopback_names_alone(client):
    for host in ("evil.example", "localhost.evil.example:8010", "10.0.0.1:8010", ""):
        assert client.get("/jwks", headers={"Host": host}).status_code == 421, host
    for host in ("localhost:8010", "127.0.0.1:8010", "[::1]:8010"):
        assert client.get("/jwks", headers={"Host": host}).status_code == 200, host
    assert set(client.get("/jwks").json()["keys"][0]) >= {"kid", "n", "e"}
    assert "d" not in client.get("/jwks").json()["keys"][0]


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "/a\nb", ""])
def test_a_target_elsewhere_is_none(issuer, target):
    assert safe_next(target) is None
    assert safe_next("/settings/keys?a=b") == f"{BASE}/settings/keys?a=b"


def test_what_a_log_in_needs_is_taken_once_and_in_time(table, stopped_clock):
    one_time.keep_login("state", "value", 600)
    assert one_time.take_login("another") is None
    assert one_time.take_login("state") == "value"
    assert one_time.take_login("state") is None
    one_time.keep_login("state", "value", 600)
    stopped_clock.time += 600
    assert one_time.take_login("state") is None
