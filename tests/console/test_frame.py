"""What holds on every page: headers, roles, CSRF, cookies, sessions, errors as pages."""

import re

import pytest
from starlette.responses import Response

from functions.console import cookies
from functions.console.pages import routes
from functions.console.visitor import logged_in
from identity_service.store import sessions, users
from local import template
from tests.browser.pages import PAGES
from tests.console.person import BASE, Person, configured

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self' http://localhost:8010; base-uri 'none'; frame-ancestors 'none'"
)


def pages():
    """Every page that takes no variable and needs a log-in."""
    return [
        route.path
        for route in routes()
        if "GET" in route.methods
        and "{" not in route.path
        and route.name not in ("home", "home_with_slash", "login", "callback", "start")
    ]


def agent_pages(instance_id):
    """Every page about one agent, but for those that read its whole trail."""
    return [
        route.path.replace("{instance_id}", instance_id)
        for route in routes()
        if "GET" in route.methods
        and route.path.startswith("/agents/{instance_id}")
        and route.path.count("{") == 1
        and route.name not in ("verify", "export")
    ]


def forms():
    """Every route that changes something."""
    return [route for route in routes() if "POST" in route.methods]


def needs(dependant):
    yield dependant.call
    for inner in dependant.dependencies:
        yield from needs(inner)


def test_every_page_has_the_headers(owner):
    assert len(pages()) >= 6
    for path in (*pages(), *agent_pages(owner.agent("Aria"))):
        response = owner.get(path)
        assert response.status_code == 200, path
        assert response.headers["Content-Security-Policy"] == POLICY
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["X-Request-Id"]


def test_no_page_has_what_the_policy_refuses(owner):
    for path in (*pages(), *agent_pages(owner.agent("Aria", ("STRESS_RESPONSE", 0.9, 20)))):
        text = owner.get(path).text
        assert not re.search(r"\sstyle=|\son\w+=|hx-on|<style|<script(?! src=)|javascript:", text), path
        assert not re.search(r'(?:src|href|action)="(?!(?:http://localhost:8000)?/console|#)', text), path


def test_a_stranger_sees_the_landing_page_and_logs_in_for_the_rest(stranger):
    assert "Sign up or log in" in stranger.get(BASE).text
    assert stranger.get(f"{BASE}/").headers["Location"] == BASE
    for path in pages():
        response = stranger.get(path)
        assert (response.status_code, response.headers["Location"].partition("?")[0]) == (303, f"{BASE}/login"), path
    assert stranger.get("/settings/people?a=b").headers["Location"].endswith("/login?next=%2Fsettings%2Fpeople%3Fa%3Db")


def test_every_form_needs_a_log_in_and_its_csrf_token(owner, stranger):
    assert len(forms()) >= 9
    for route in forms():
        assert logged_in in needs(route.dependant), route.path
        path = re.sub(r"\{\w+\}", "x", route.path)
        assert stranger.post(path).status_code == 303, path
        for token in ("", "wrong", owner.session.csrf[:-1]):
            response = owner.post(path, csrf=token)
            assert (response.status_code, "This form is too old" in response.text) == (403, True), path
        assert owner.client.post(path).status_code == 403, path


def test_the_token_of_another_session_does_not_count(owner, console):
    other = Person(console, "eve@elsewhere.example")
    assert owner.post("/settings/keys", csrf=other.session.csrf, name="x", scope="read").status_code == 403


def test_a_viewer_changes_nothing(member):
    viewer = member("viewer")
    for route in forms():
        if route.name in ("logout", "switch", "start_account", "accept"):  # one's own session
            continue
        path = re.sub(r"\{\w+\}", "x", route.path)
        response = viewer.post(path, name="x", scope="read", email="a@b.example", role="owner")
        assert response.status_code == 403, path
        assert "This needs the role" in response.text
    assert "<form" not in viewer.get("/settings/keys").text.partition("<main")[2]


def test_an_operator_makes_keys_and_invites_nobody(member):
    operator = member("operator")
    assert operator.post("/settings/keys", name="ci", scope="agent").status_code == 200
    assert operator.post("/settings/people/invitations", email="a@b.example", role="viewer").status_code == 403


@pytest.mark.parametrize("what", ["forged", "other key", "other kind", "cut"])
def test_a_forged_cookie_is_no_cookie(owner, stranger, monkeypatch, what):
    real = owner.client.headers["Cookie"].partition("=")[2]
    values = {"id": owner.session.id, "ref": owner.user.ref, "account": owner.account_id}
    sealed = Response()
    if what == "other key":
        with configured(monkeypatch, SESSION_SECRET="guessed"):
            cookies.put(sealed, cookies.SESSION, values, 60)
    elif what == "other kind":
        with configured(monkeypatch):
            cookies.put(sealed, cookies.LOGIN, values, 60)
    forged = {
        "forged": "e30.e30.e30.e30.e30",
        "cut": real[:-8],
    }.get(what) or sealed.headers["set-cookie"].partition(";")[0].partition("=")[2]
    with configured(monkeypatch):
        response = stranger.get("/welcome", headers={"Cookie": f"{cookies.SESSION}={forged}"})
        assert response.status_code == 303
        assert stranger.get("/welcome", headers={"Cookie": f"{cookies.SESSION}={real}"}).status_code == 200


def test_the_cookie_is_for_the_consoles_path_alone(owner, monkeypatch):
    for base, path, secure in ((BASE, "/console", False), ("https://x.example/prod/console", "/prod/console", True)):
        with configured(monkeypatch, BASE=base):
            response = Response()
            cookies.keep(response, owner.session)
            text = response.headers["set-cookie"]
            assert f"; Path={path};" in text
            assert "HttpOnly" in text
            assert "SameSite=lax" in text
            assert ("Secure" in text) is secure
            assert owner.user.email not in text


def test_a_session_ends_at_once(owner, member):
    viewer = member("viewer")
    assert viewer.get("/welcome").status_code == 200
    users.remove(owner.account_id, viewer.user.ref, sessions_by(owner))
    assert viewer.get("/welcome").headers["Location"] == f"{BASE}/start"
    sessions.end(owner.session.id)
    assert owner.get("/welcome").headers["Location"].startswith(f"{BASE}/login")


def sessions_by(person):
    from identity_service.store.account_trail import By

    return By(person.user.id, person.user.email, "test")


def test_a_session_lasts_twelve_hours_and_is_renewed(console, stopped_clock):
    person = Person(console)
    for hours, renewed in ((0.9, False), (1.1, True), (12, True), (23.9, True)):
        stopped_clock.time = 1_774_347_330.0 + hours * 3600
        response = person.get("/welcome")
        assert response.status_code == 200, hours
        assert ("set-cookie" in response.headers) is renewed, hours
        if renewed:
            person.client.headers["Cookie"] = response.headers["set-cookie"].partition(";")[0]
    stopped_clock.time += 12 * 3600 + 1
    assert person.get("/welcome").status_code == 303


def test_errors_are_pages(owner, stranger):
    for response, status in (
        (owner.get("/nothing"), 404),
        (owner.client.put("/settings/keys"), 405),
        (stranger.get("/static/../app.py"), 404),
        (stranger.get("/static/console.py"), 404),
        (owner.post("/settings/people/invitations"), 400),
    ):
        assert response.status_code == status
        assert response.headers["Content-Type"].startswith("text/html")
        assert "Traceback" not in response.text


def test_links_are_made_from_the_base_and_never_from_the_host(owner, monkeypatch):
    with configured(monkeypatch, BASE="https://x.example/prod/console"):
        text = owner.get("/settings/keys", headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"}).text
        assert "evil.example" not in text
        assert 'action="https://x.example/prod/console/settings/keys"' in text


def test_every_page_is_in_the_list_of_the_browsers_checks_and_has_its_figures():
    listed = {shown.path for shown in PAGES if shown.reach is None}
    reached = {"/settings/keys", "/settings/people", "/test"}  # with a new key, an invitation, some answers
    assert set(pages()) - {"/welcome/light"} <= listed | reached
    figures = {path.stem for path in (template.ROOT / "docs" / "figures").glob("console-*.png")}
    assert figures == {f"console-{shown.name}-{scheme}" for shown in PAGES for scheme in ("light", "dark")}


def test_the_record_of_a_session_ends_with_its_time_whatever_the_cookie_says(owner, stopped_clock):
    session = sessions.begin(owner.user, owner.account_id)
    assert sessions.read(session.id, owner.user.ref, owner.account_id) is not None
    assert sessions.read(session.id, owner.user.ref, "") is None
    stopped_clock.time += sessions.LASTS
    assert sessions.read(session.id, owner.user.ref, owner.account_id) is None
