"""The API of webhooks: what is shown, what is refused, what a repeated request gets."""

import json

import pytest

from identity_service.store import dynamodb, webhooks
from identity_service.webhooks import hooks
from tests.conftest import Caller, stored_webhook

URL = "https://hooks.example.com/a"


def create(caller, headers=None, **body):
    return caller.post("/webhooks", json={"url": URL} | body, headers=headers or {})


def test_a_secret_is_shown_once(pro):
    made = create(pro, types=["agent.paused"], description="on call")
    assert made.status_code == 201
    secret = made.json()["data"]["secret"]
    assert secret.startswith("whsec_")
    one = made.json()["data"]["id"]
    shown = pro.get(f"/webhooks/{one}")
    assert shown.json()["data"] == {name: value for name, value in made.json()["data"].items() if name != "secret"}
    for path in ("/webhooks", f"/webhooks/{one}", f"/webhooks/{one}/deliveries"):
        assert secret.removeprefix("whsec_") not in pro.get(path).text
    assert secret not in str(list(dynamodb.scan(("PK", "SK", "secret", "answer", "url"))))


def test_a_repeated_creation_gets_the_same_webhook_and_its_secret(pro):
    key = {"Idempotency-Key": "one"}
    first, again = create(pro, key), create(pro, key)
    assert (again.status_code, again.content) == (201, first.content)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert len(pro.get("/webhooks").json()["data"]) == 1
    other = create(pro, key, description="other")
    assert (other.status_code, other.json()["error"]) == (409, "conflict")
    assert create(pro).json()["data"]["id"] != first.json()["data"]["id"]


def test_a_repeated_rotation_changes_the_secret_once(pro):
    made = create(pro).json()["data"]
    key = {"Idempotency-Key": "turn"}
    first, again = (pro.post(f"/webhooks/{made['id']}/rotate", headers=key) for _ in range(2))
    assert first.json()["data"]["secret"] == again.json()["data"]["secret"] != made["secret"]
    hook = hooks.get(pro.account_id, made["id"])
    assert hooks.sealing.unseal(hook["older_secret"], pro.account_id, made["id"]) == made["secret"]


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        ({}, "url", "missing"),
        ({"url": "http://hooks.example.com"}, "url", "unknown_value"),
        ({"url": "https://169.254.169.254/"}, "url", "unknown_value"),
        ({"url": "https://[::ffff:10.0.0.1]/"}, "url", "unknown_value"),
        ({"url": "http://localhost:8000/"}, "url", "unknown_value"),
        ({"url": "https://a.example/" + "x" * 500}, "url", "too_long"),
        ({"url": URL, "types": ["agent.died"]}, "types[0]", "unknown_value"),
        ({"url": URL, "types": "agent.paused"}, "types", "wrong_type"),
        ({"url": URL, "secret": "whsec_mine"}, "secret", "unknown_field"),
    ],
)
def test_what_is_no_webhook_is_refused_with_its_field(pro, body, field, reason):
    answer = pro.post("/webhooks", json=body)
    assert answer.status_code == 400
    assert answer.json()["details"] == {"field": field, "reason": reason}
    assert pro.get("/webhooks").json()["data"] == []


def test_each_field_can_be_changed_and_nothing_else_is(pro):
    made = create(pro, types=["agent.paused"]).json()["data"]
    at = f"/webhooks/{made['id']}"
    changes = {
        "url": "https://hooks.example.com/b",
        "types": ["key.created", "agent.reset"],
        "description": "B",
        "enabled": False,
    }
    for name, value in changes.items():
        changed = pro.patch(at, json={name: value}).json()["data"]
        assert (sorted(changed[name]) if name == "types" else changed[name]) == (sorted(value) if name == "types" else value)
    shown = pro.get(at).json()["data"]
    assert (shown["disabled_reason"], shown["description"]) == ("switched off on request", "B")
    assert pro.patch(at, json={"enabled": True, "types": []}).json()["data"] | {"types": []} == shown | {
        "enabled": True, "disabled_reason": None, "types": [],
    }  # fmt: skip
    assert pro.patch(at, json={}).status_code == 400
    assert pro.patch(at, json={"url": "https://10.0.0.1/"}).status_code == 400


def test_a_webhook_that_is_off_is_sent_no_test(pro):
    made = create(pro).json()["data"]
    pro.patch(f"/webhooks/{made['id']}", json={"enabled": False})
    answer = pro.post(f"/webhooks/{made['id']}/test")
    assert (answer.status_code, answer.json()["error"]) == (409, "conflict")


def test_another_accounts_webhook_is_the_404_of_none(pro):
    other = Caller(pro.edge, "pro")
    one, delivery = stored_webhook(other.account_id)
    for method, path in (
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/rotate"),
        ("POST", "/test"),
        ("GET", "/deliveries"),
        ("POST", f"/deliveries/{delivery}/redeliver"),
    ):
        body = {"json": {"enabled": False}} if method == "PATCH" else {}
        theirs = pro.request(method, f"/webhooks/{one}{path}", **body)
        none = pro.request(method, f"/webhooks/hook_0000000000000000{path}", **body)
        assert (theirs.status_code, theirs.content) == (404, none.content), (method, path)
    assert other.get(f"/webhooks/{one}").json()["data"]["enabled"]


def test_an_unknown_delivery_is_not_sent_again(pro):
    one, delivery = stored_webhook(pro.account_id)
    answer = pro.post(f"/webhooks/{one}/deliveries/{'0' * 64}/redeliver")
    assert (answer.status_code, answer.json()["details"]) == (404, {"resource": "delivery"})
    again = pro.post(f"/webhooks/{one}/deliveries/{delivery}/redeliver")
    assert again.json()["data"] == {"id": delivery, "status": "queued"}


def test_an_account_has_ten_webhooks_at_most(pro):
    for _ in range(hooks.LIMIT):
        assert create(pro).status_code == 201
    assert create(pro).status_code == 409
    pro.delete(f"/webhooks/{pro.get('/webhooks').json()['data'][0]['id']}")
    assert create(pro).status_code == 201


def test_deliveries_are_shown_newest_first_and_a_hundred_at_most(pro):
    one, _ = stored_webhook(pro.account_id)
    for number in range(110):
        told = {
            "account": pro.account_id,
            "hook": one,
            "id": f"{number:064x}",
            "at": f"2026-03-25T10:{number // 60:02}:{number % 60:02}Z",
        }
        webhooks.note(
            told | {"type": "agent.paused", "payload": "{}"}, webhooks.FAILED, 8, 0, 15_000, "no answer within 15 seconds"
        )
    page = pro.get(f"/webhooks/{one}/deliveries?limit=2&offset=1").json()
    assert [int(row["id"], 16) for row in page["data"]] == [108, 107]
    assert page["pagination"] == {"limit": 2, "offset": 1, "total": 100, "has_more": True}
    assert page["data"][0]["response_status"] is None


def test_a_test_is_one_item_of_the_outbox_however_often_it_is_asked_for(pro):
    made = create(pro).json()["data"]
    key = {"Idempotency-Key": "try"}
    first, again = (pro.post(f"/webhooks/{made['id']}/test", headers=key) for _ in range(2))
    assert first.json() == again.json()
    at = {":pk": webhooks.partition(pro.account_id), ":sk": "OUT#"}
    (item,) = dynamodb.query("PK = :pk AND begins_with(SK, :sk)", at)
    assert json.loads(item["events"])["events"] == [{"type": "webhook.test", "webhook_id": made["id"]}]


def test_a_write_that_took_effect_before_it_was_repeated_still_shows_its_secret(pro, monkeypatch):
    write = dynamodb.write_all

    def twice(operations):
        write(operations)
        write(operations)

    monkeypatch.setattr(dynamodb, "write_all", twice)
    made = create(pro)
    assert made.status_code == 201, made.text
    one = made.json()["data"]["id"]
    rotated = pro.post(f"/webhooks/{one}/rotate")
    assert rotated.status_code == 200, rotated.text
    hook = hooks.get(pro.account_id, one)
    for secret, sealed in ((rotated, hook["secret"]), (made, hook["older_secret"])):
        assert hooks.sealing.unseal(sealed, pro.account_id, one) == secret.json()["data"]["secret"]
