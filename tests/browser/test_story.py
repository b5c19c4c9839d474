"""One person's way through the console, and what others must not be able to do. With and without scripts."""

import os
import re
import subprocess

import httpx
import pytest

from tests.browser.conftest import ROOT, sign_up


def process(server, key, name="Aria"):
    """An agent reports, as the curl program of the page does it."""
    headers = {"Authorization": f"Bearer {key}"}
    agent = httpx.post(f"{server.api}/instances", json={"name": name}, headers=headers)
    agent.raise_for_status()
    body = {"mode_target": "EXPLORATION", "signal_strength": 0.8}
    return httpx.post(f"{server.api}/instances/{agent.json()['data']['id']}/process", json=body, headers=headers)


def create_key(page, server, name, scope="agent"):
    page.goto(f"{server.console}/settings/keys")
    page.get_by_label("Name").fill(name)
    page.locator(f"input[name=scope][value={scope}]").check()
    page.get_by_role("button", name="Create the key").click()
    return page.locator("section.marked pre code").first.inner_text()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_sign_up_key_first_report_revoke_log_out(browser, server, scripts):
    context = browser.new_context(java_script_enabled=scripts)
    page = context.new_page()
    email = f"story-{scripts}@acme.example".lower()
    sign_up(page, server, email)
    assert page.url == f"{server.console}/welcome"

    page.get_by_role("button", name="Create a key").click()
    programs = page.locator("section.marked details pre code").all_text_contents()
    assert len(programs) == 4
    key = page.locator("section.marked pre code").first.inner_text()
    assert re.fullmatch(r"idos_sk_[0-9A-Za-z]{38}", key)
    assert all(key in program for program in programs)
    assert "Waiting for the first report" in page.locator("#light").inner_text()

    done = subprocess.run(["sh", "-c", programs[0]], capture_output=True, text=True, timeout=30)
    assert '"allowed_actions"' in done.stdout, done.stderr
    if scripts:
        page.locator("#light.on").wait_for()
    else:
        page.get_by_role("link", name="Look again").click()
    assert "The first report has arrived." in page.locator("#light").inner_text()

    second = create_key(page, server, "second")
    assert process(server, second).status_code == 200
    page.goto(f"{server.console}/settings/keys")
    assert second not in page.content()
    row = page.get_by_role("row", name=re.compile("second"))
    assert f"idos_sk_…{second[-4:]}" in row.inner_text()
    row.get_by_role("link", name="Revoke").click()
    page.get_by_role("link", name="Keep it").click()
    page.get_by_role("row", name=re.compile("second")).get_by_role("link", name="Revoke").click()
    page.get_by_role("button", name="Revoke the key").click()
    assert page.get_by_role("row", name=re.compile("second")).get_by_role("link").count() == 0
    page.goto(f"{server.console}/settings/people")
    text = page.locator("main").inner_text()
    assert "key revoked" in text
    assert "key created" in text

    page.get_by_role("button", name="Log out").click()
    page.wait_for_url(server.console)
    page.goto(f"{server.console}/settings/keys")
    # It ended at the issuer, too: the address is asked for again. The way leads back to the page that was wanted.
    page.get_by_label("E-mail address").fill(email)
    page.get_by_role("button", name="Continue").click()
    assert page.url == f"{server.console}/settings/keys"
    context.close()


def test_a_key_is_used_and_its_use_is_shown(page, server):
    sign_up(page, server, "use@acme.example")
    key = create_key(page, server, "reader", "read")
    assert httpx.get(f"{server.api}/instances", headers={"Authorization": f"Bearer {key}"}).status_code == 200
    refused = httpx.post(f"{server.api}/instances", json={"name": "x"}, headers={"Authorization": f"Bearer {key}"})
    assert refused.status_code == 403
    page.goto(f"{server.console}/settings/keys")
    row = page.get_by_role("row", name=re.compile("reader")).inner_text()
    assert "never" not in row


def test_the_python_programs_run_as_they_are_shown(page, server):
    sign_up(page, server, "python@acme.example")
    create_key(page, server, "program")
    programs = page.locator("section.marked details pre code").all_text_contents()
    langchain = "".join(line for line in programs[3].splitlines(True) if "langchain" not in line and "create_agent" not in line)
    for program in (programs[1], langchain + "print(guard.contract.allowed_actions)"):
        command = [ROOT / ".venv" / "bin" / "python", "-c", program]
        environment = os.environ | {"PYTHONPATH": str(ROOT / "sdks" / "python")}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
        assert "clarify" in done.stdout, done.stderr


def test_copy_puts_the_key_into_the_clipboard(page, server):
    sign_up(page, server, "copy@acme.example")
    key = create_key(page, server, "copied")
    page.locator("[data-copy]").first.click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == key


def test_an_invitation_makes_a_viewer_who_changes_nothing(browser, page, server):
    sign_up(page, server, "boss@acme.example")
    page.goto(f"{server.console}/settings/people")
    page.get_by_label("E-mail address").fill("Guest@acme.example")
    page.get_by_role("button", name="Make an invitation").click()
    link = page.locator("section.marked pre code").inner_text()

    wrong = browser.new_context().new_page()
    wrong.goto(link)
    wrong.get_by_label("E-mail address").fill("other@acme.example")
    wrong.get_by_role("button", name="Continue").click()
    assert "No such invitation" in wrong.locator("main").inner_text()

    guest = browser.new_context().new_page()
    guest.goto(link)
    guest.get_by_label("E-mail address").fill("guest@acme.example")
    guest.get_by_role("button", name="Continue").click()
    guest.get_by_role("button", name="Join").click()
    assert "boss · free" in guest.locator("header").inner_text()
    guest.goto(f"{server.console}/settings/keys")
    assert guest.locator("main form").count() == 0
    guest.goto(f"{server.console}/settings/people")
    assert guest.locator("main form").count() == 0
    answer = guest.request.post(f"{server.console}/settings/keys", form={"name": "x", "scope": "read"})
    assert answer.status == 403
    guest.goto(link)
    assert "No such invitation" in guest.locator("main").inner_text()

    page.goto(f"{server.console}/settings/people")
    page.get_by_role("button", name="Remove guest@acme.example").click()
    guest.goto(f"{server.console}/settings/keys")
    assert "You belong to no account here" in guest.locator("main").inner_text()


def test_a_form_without_its_token_is_refused(page, server):
    sign_up(page, server, "csrf@acme.example")
    page.goto(f"{server.console}/settings/keys")
    page.locator("main input[name=csrf]").first.evaluate("field => { field.value = 'guessed'; }")
    page.get_by_label("Name").fill("stolen")
    page.get_by_role("button", name="Create the key").click()
    assert "Not allowed" in page.locator("main").inner_text()
    page.goto(f"{server.console}/settings/keys")
    assert "stolen" not in page.content()


def test_another_site_cannot_send_a_form(browser, server):
    context = browser.new_context()
    page = context.new_page()
    sign_up(page, server, "site@acme.example")
    elsewhere = server.console.replace("localhost", "127.0.0.1")
    page.goto(elsewhere)
    token = "guessed"
    status = page.evaluate(
        "([url, csrf]) => fetch(url, {method: 'POST', credentials: 'include', mode: 'no-cors', "
        "body: new URLSearchParams({csrf, name: 'x', scope: 'read'})}).then(r => r.type, () => 'refused')",
        [f"{server.console}/settings/keys", token],
    )
    assert status in ("refused", "opaque")
    page.goto(f"{server.console}/settings/keys")
    assert "No key works in this account" in page.locator("main").inner_text()
    context.close()


def test_a_log_in_works_once_and_in_the_browser_that_began_it(browser, page, server):
    seen = []
    page.on("request", lambda request: seen.append(request.url) if "/callback?" in request.url else None)
    sign_up(page, server, "replay@acme.example")
    (callback,) = seen
    page.goto(callback)
    assert "This log-in did not work" in page.locator("main").inner_text()
    other = browser.new_context().new_page()
    other.goto(callback)
    assert "This log-in did not work" in other.locator("main").inner_text()
    state = re.search(r"state=[^&]+", callback)[0]
    for broken in (
        callback.replace(state, "state=guessed"),
        f"{server.console}/callback",
        f"{server.console}/callback?error=x",
    ):
        page.goto(broken)
        assert "This log-in did not work" in page.locator("main").inner_text()


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "/%0d%0aLocation:x", "javascript:x"]
)
def test_a_log_in_leads_nowhere_else(browser, server, target):
    page = browser.new_context().new_page()
    page.goto(f"{server.console}/login?next={target}")
    page.get_by_label("E-mail address").fill("redirect@acme.example")
    page.get_by_role("button", name="Continue").click()
    assert page.url.startswith(server.console)


def test_names_are_text_and_never_markup(page, server):
    sign_up(page, server, "xss@acme.example")
    attack = "<script>document.title='owned'</script><img src=x onerror=alert(1)>\"'"
    create_key(page, server, attack)
    for path in ("/settings/keys", "/settings/people"):
        page.goto(server.console + path)
        assert attack in page.locator("main").inner_text()
        assert page.locator("main script, main img").count() == 0
        assert page.title() != "owned"
    page.get_by_role("link", name="API keys").click()
    page.get_by_role("link", name="Revoke").first.click()
    assert attack in page.get_by_role("heading").first.inner_text()


def test_a_forged_cookie_is_a_strangers(context, page, server):
    sign_up(page, server, "forged@acme.example")
    (cookie,) = [cookie for cookie in context.cookies() if cookie["name"] == "idos_session"]
    assert cookie["httpOnly"]
    assert (cookie["sameSite"], cookie["path"]) == ("Lax", "/console")
    middle = len(cookie["value"]) // 2
    changed = cookie["value"][:middle] + ("A" if cookie["value"][middle] != "A" else "B") + cookie["value"][middle + 1 :]
    context.add_cookies([cookie | {"value": changed}])
    context.clear_cookies(path="/authorize")
    page.goto(f"{server.console}/settings/keys")
    assert "/authorize" in page.url


def test_the_light_waits_as_long_as_nothing_reports(page, server):
    sign_up(page, server, "light@acme.example")
    with page.expect_response(re.compile("/welcome/light")) as answer:
        pass
    assert answer.value.status == 200
    assert "Waiting" in page.locator("#light").inner_text()


def reporting(server, page, email):
    """Somebody who signed up and has a key: what reports for an agent of theirs."""
    sign_up(page, server, email)
    headers = {"Authorization": f"Bearer {create_key(page, server, 'agent')}"}

    def report(agent, *modes):
        context = {"tool": "deploy"}
        body = {"observations": [{"mode_target": mode, "signal_strength": each, "context": context} for mode, each in modes]}
        answer = httpx.post(f"{server.api}/instances/{agent}/process/batch", json=body, headers=headers)
        assert answer.status_code == 200, answer.text

    return report


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_an_agent_goes_to_OVER_says_why_execute_is_gone_and_recovers(browser, server, scripts):
    context = browser.new_context(java_script_enabled=scripts)
    page = context.new_page()
    report = reporting(server, page, f"over-{scripts}@acme.example".lower())
    page.goto(f"{server.console}/agents")
    assert "No agent yet" in page.locator("main").inner_text()
    page.get_by_role("link", name="Create one here").click()
    page.get_by_label("Name").fill("deployer")
    page.get_by_role("button", name="Create the agent").click()
    page.get_by_role("heading", name="deployer").wait_for()
    address, agent = page.url, page.url.rpartition("/")[2]
    assert "Nothing reported yet" in page.locator("#timeline").inner_text()

    def look(state):
        """The page follows by itself where scripts run."""
        if not scripts:
            page.reload()
        page.locator("#now .stress", has_text=state).wait_for(timeout=15_000)

    report(agent, *[("ORDER", 0.5)] * 24)
    look("LOW")
    report(agent, *[("STRESS_RESPONSE", 0.95)] * 10)
    look("OVER")
    held = page.locator(".held li", has_text="execute")
    assert held.locator("p").nth(1).inner_text().startswith("Stress is 0.9")
    assert "calm reports" in held.inner_text()
    assert "execute" not in page.locator(".chips").inner_text()
    held.get_by_text("Formula").click()
    assert "|stress_response|" in held.locator("code").inner_text()

    page.goto(f"{server.console}/agents")
    assert "1 needs a person" in page.locator("main").inner_text()
    assert "paused: energy is" in page.get_by_role("row", name=re.compile("deployer")).inner_text()
    page.get_by_role("link", name="deployer", exact=True).click()

    if not scripts:
        page.get_by_role("link", name="Show the timeline").click()
    chart = page.locator(".wide-chart svg")
    chart.wait_for()
    assert chart.locator(".ic-pause title").text_content().startswith("paused, report")
    chart.locator("a").last.click()
    page.get_by_role("heading", name="Audit record").wait_for()
    text = page.locator("main").inner_text()
    assert '"tool": "deploy"' in text
    assert re.search(r"digest\s+[0-9a-f]{64}", text)

    page.goto(address)
    for _ in range(2):
        report(agent, *[("ORDER", 0.5)] * 60)
    look("LOW")
    assert "execute" in page.locator(".chips").inner_text()
    assert "Nothing. It may do everything" in page.locator("#contract").inner_text()
    assert "deploy worked 40+ calls" in page.locator(".latest").inner_text()
    page.goto(f"{server.console}/agents")
    assert "none needs a person" in page.locator("main").inner_text()
    context.close()


def test_a_timeline_zooms_in_place_and_holds_still(page, server):
    report = reporting(server, page, "zoom@acme.example")
    page.goto(f"{server.console}/agents/new")
    page.get_by_label("Name").fill("busy")
    page.get_by_label("Born as").select_option("persona_guardian")
    page.get_by_role("button", name="Create the agent").click()
    agent = page.url.rpartition("/")[2]
    for _ in range(3):
        report(agent, *[("ORDER", 0.5)] * 100)
    page.goto(page.url)
    page.get_by_role("heading", name="Last 100 reports").wait_for()
    page.get_by_role("link", name="Older").click()
    page.get_by_role("heading", name="Reports 101 to 200").wait_for()
    page.get_by_role("link", name="Newest").click()
    page.get_by_role("heading", name="Last 100 reports").wait_for()
    page.get_by_role("link", name="1,000").click()
    page.get_by_role("heading", name="All 300 reports").wait_for()
    assert page.url.endswith(agent)
    page.get_by_role("link", name="Pause").click()
    page.get_by_text("Updates are paused.").wait_for()
    assert page.locator("#now[hx-get]").count() == 0
    page.get_by_role("link", name="Resume").click()
    page.locator("#now[hx-get]").wait_for()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_an_escalated_agent_is_decided_and_its_trail_verifies(browser, server, tmp_path, scripts):
    context = browser.new_context(java_script_enabled=scripts, accept_downloads=True)
    page = context.new_page()
    sign_up(page, server, f"decide-{scripts}@acme.example".lower())
    headers = {"Authorization": f"Bearer {create_key(page, server, 'agent')}"}
    agent = httpx.post(f"{server.api}/instances", json={"name": "invoice-agent"}, headers=headers).json()["data"]["id"]
    for mode, times in (("ORDER", 30), ("STRESS_RESPONSE", 30)):
        body = {"observations": [{"mode_target": mode, "signal_strength": 0.9}] * times}
        assert httpx.post(f"{server.api}/instances/{agent}/process/batch", json=body, headers=headers).status_code == 200
    contract = f"{server.api}/instances/{agent}/contract"
    assert httpx.get(contract, headers=headers).json()["data"]["should_escalate"]

    page.goto(f"{server.console}/what-if")
    page.get_by_role("link", name="invoice-agent").click()
    page.get_by_label("mode").select_option("ORDER")
    page.get_by_role("button", name="Show what would follow").last.click()
    assert "After 3 reports" in page.locator("main").inner_text()

    page.get_by_role("link", name="Decide", exact=True).click()
    text = page.locator("main").inner_text()
    assert "It waits for a person" in text
    assert "Escalated: OVER for" in text
    page.get_by_role("link", name=re.compile("new normal")).click()
    assert "What rebaseline would do" in page.locator("main").inner_text()
    page.get_by_role("link", name=re.compile("last calm state")).click()
    assert page.locator(".act-mark.freed").count() == 8
    page.get_by_label("Why").fill("the payment provider is back")
    button = page.get_by_role("button", name="Back to the last calm state")
    if scripts:
        button.dblclick()
    else:
        button.click()
    page.wait_for_url(re.compile(f"/agents/{agent}/audit"))
    text = page.locator("main").inner_text()
    assert "4 records" in text
    assert "decided: back to the last calm state" in text
    assert "the payment provider is back" in text
    assert f"decide-{scripts}@acme.example".lower() in text
    assert not httpx.get(contract, headers=headers).json()["data"]["should_escalate"]

    page.get_by_role("link", name="Verify all").click()
    assert "Verified" in page.locator("[role=status]").inner_text()
    with page.expect_download() as download:
        page.get_by_role("link", name="Export").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    digest = page.locator("pre code").inner_text()
    verify = [ROOT / ".venv" / "bin" / "identity-os", "verify", file, "--digest", digest]
    done = subprocess.run(verify, capture_output=True, text=True, timeout=60)
    assert f"verified: {agent}, 4 records, 60 observations replayed" in done.stdout, done.stdout + done.stderr
    context.close()
