"""Settings: webhooks."""

import re

import pytest

from identity_service.store import account_trail, dynamodb, webhooks
from identity_service.webhooks import hooks
from tests.conftest import stored_webhook
from tests.console.person import Person

URL = "https://hooks.example.com/a"


def made(owner, **fields):
    page = owner.post("/settings/webhooks", url=URL, **fields)
    assert page.status_code == 200, page.text
    return webhooks.of_account(owner.account_id)[-1], page


def test_a_secret_is_shown_once_and_each_change_leaves_who(owner):
    hook, page = made(owner, types=["agent.paused", "agent.reset"], description="on call")
    (secret,) = set(re.findall(r"whsec_[0-9A-Za-z+/=]+", page.text))
    at = f"/settings/webhooks/{hook['id']}"
    assert "whsec_" not in owner.get(at).text + owner.get("/settings/webhooks").text
    assert hooks.sealing.unseal(hook["secret"], owner.account_id, hook["id"]) == secret
    rotated = owner.post(f"{at}/rotate")
    assert set(re.findall(r"whsec_[0-9A-Za-z+/=]+", rotated.text)) not in ({secret}, set())
    assert owner.post(f"{at}/switch", on="false").status_code == 303
    assert "switched off on request" in owner.get(at).text
    assert owner.post(f"{at}/test").status_code == 409
    assert owner.post(f"{at}/switch", on="true").status_code == 303
    assert "Delete this webhook?" in owner.get(f"{at}/delete").text
    assert owner.post(f"{at}/delete").status_code == 303
    assert owner.get(at).status_code == 404
    changes = [entry for entry in account_trail.latest(owner.account_id) if entry["what"].startswith("webhook.")]
    what = ["webhook.deleted", "webhook.updated", "webhook.updated", "webhook.rotated", "webhook.created"]
    assert [(entry["what"], entry["actor"]) for entry in changes] == [(name, owner.user.id) for name in what]


def test_a_test_and_a_delivery_again_are_asked_of_the_fan_out(owner):
    hook, delivery = stored_webhook(owner.account_id)
    at = f"/settings/webhooks/{hook}"
    shown = owner.get(at).text
    assert "agent.paused" in shown
    assert "181 ms" in shown
    for path in (f"{at}/test", f"{at}/deliveries/{delivery}/again"):
        assert owner.post(path).headers["location"].endswith(f"{hook}?sent=1")
    values = {":pk": webhooks.partition(owner.account_id), ":sk": "OUT#"}
    assert len(list(dynamodb.query("PK = :pk AND begins_with(SK, :sk)", values))) == 2


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"url": "https://10.0.0.1/"}, "the address 10.0.0.1 is not public"),
        ({"url": "nonsense"}, "use an https URL on port 443"),
        ({"url": URL, "types": ["agent.died"]}, "no such type"),
    ],
)
def test_a_form_that_does_not_work_says_why_and_keeps_what_was_typed(owner, fields, problem):
    page = owner.post("/settings/webhooks", **fields)
    assert (page.status_code, problem in page.text, fields["url"] in page.text) == (400, True, True)
    assert webhooks.of_account(owner.account_id) == []


def test_a_viewer_sees_and_changes_nothing_and_another_account_sees_nothing(owner, member, console):
    hook, _ = made(owner)
    at, viewer = f"/settings/webhooks/{hook['id']}", member("viewer")
    assert URL in viewer.get(at).text
    assert "<form" not in viewer.get(at).text.split("</header>")[-1].split("<footer")[0]
    for path in ("/settings/webhooks", f"{at}/test", f"{at}/rotate", f"{at}/switch", f"{at}/delete"):
        assert viewer.post(path, url=URL, on="false").status_code == 403, path
    other = Person(console, "eve@elsewhere.example")
    assert other.get(at).status_code == 404
    assert other.post(f"{at}/delete").status_code == 404
    assert hooks.get(owner.account_id, hook["id"])["enabled"]


def test_what_an_answer_says_is_text_and_no_markup(owner):
    hook, _ = stored_webhook(owner.account_id)
    told = {"account": owner.account_id, "hook": hook, "id": "f" * 64, "at": "2026-03-25T10:15:30Z", "type": "agent.paused"}
    webhooks.note(told | {"payload": "{}"}, webhooks.PENDING, 1, 500, 9, "<script>alert(1)</script>")
    page = owner.get(f"/settings/webhooks/{hook}").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
