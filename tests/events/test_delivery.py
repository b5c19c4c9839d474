"""From a request to a receiver: what arrives, signed, retried, once it is true and only if it is."""

import json
import re

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from functions.deliver.app import DELAYS
from functions.fanout import app as fanout
from identity_engine import STRESS_STATES
from identity_service.clock import iso
from identity_service.events import TYPES
from identity_service.store import dynamodb, webhooks
from identity_service.webhooks import hooks, sealing, sending
from identity_service.webhooks.queue import LONGEST_DELAY
from local import template
from local.queue import VISIBILITY
from tests.faults.client import Killed

STRESS = {"mode_target": "STRESS_RESPONSE", "signal_strength": 0.9}


def to_over(caller, instance_id=None):
    one = instance_id or caller.new_instance()
    answer = caller.post(f"/instances/{one}/process/batch", json={"observations": [STRESS] * 30})
    assert answer.status_code == 200
    return one


def sent(caller, hook):
    return [(each["type"], each["status"], each["attempts"]) for each in webhooks.deliveries(caller.account_id, hook["id"])]


def test_an_agent_at_over_is_told_of_and_the_library_verifies_it(here, caller, receiver):
    types = [name for name in TYPES if name.startswith("agent.")]
    made = hooks.create(caller.account_id, receiver.url, types)
    one = to_over(caller)
    here.settle()
    events = receiver.events(made.secret)
    assert sorted(event["type"] for event in events) == [
        "agent.created", "agent.escalated", "agent.paused", "agent.stress_changed",
    ]  # fmt: skip
    changed = next(event for event in events if event["type"] == "agent.stress_changed")
    assert changed["data"] | {"actor": ""} == {
        "account_id": caller.account_id, "instance_id": one, "name": "Aria", "record": 2, "actor": "",
        "cycle": 1, "from": "LOW", "to": "OVER", "now": changed["data"]["now"],
    }  # fmt: skip
    assert changed["data"]["now"]["cycle"] == 30
    assert changed["data"]["actor"].startswith("key_")
    with pytest.raises(WebhookVerificationError):
        Webhook(sealing.new_secret()).verify(receiver.got[0][1], receiver.got[0][0])


def test_only_the_types_that_were_asked_for_and_only_from_then_on(here, caller, receiver):
    one = to_over(caller)
    here.tell()
    made = hooks.create(caller.account_id, receiver.url, ["agent.resumed", "agent.reset"])
    caller.post(f"/instances/{one}/reset", json={"mode": "initial", "note": "checked"})
    here.settle()
    assert sorted(event["type"] for event in receiver.events(made.secret)) == ["agent.reset", "agent.resumed"]


def test_another_accounts_webhook_hears_nothing(here, caller, receiver):
    from tests.conftest import Caller

    hooks.create(Caller(caller.edge, "pro").account_id, receiver.url)
    here.settle()
    receiver.got.clear()
    to_over(caller)
    here.settle()
    assert receiver.got == []


def test_a_failing_receiver_is_tried_again_with_the_same_id_and_then_given_up(here, caller, receiver):
    hook = hooks.create(caller.account_id, receiver.url, ["agent.paused"]).hook
    receiver.plan.extend([500] * 99)
    to_over(caller)
    here.settle()
    for tried, delay in enumerate((min(each, LONGEST_DELAY) for each in DELAYS), start=1):
        assert len(receiver.got) == tried
        here.later(delay - 1)
        assert len(receiver.got) == tried, "too early"
        here.later(1)
    assert len(receiver.got) == len(DELAYS) + 1
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert sent(caller, hook) == [("agent.paused", "failed", len(DELAYS) + 1)]
    (dead,) = here.queue.dead_letters
    assert json.loads(dead)["type"] == "agent.paused"
    here.later(10**6)
    assert len(receiver.got) == len(DELAYS) + 1


@pytest.mark.parametrize("kind", [302, 404, 500, "reset"])
def test_what_is_not_a_success_is_noted_with_what_was_answered(here, caller, receiver, kind):
    made = hooks.create(caller.account_id, receiver.url, ["agent.paused"])
    receiver.plan.append(kind)
    to_over(caller)
    here.settle()
    (noted,) = webhooks.deliveries(caller.account_id, made.hook["id"])
    assert (noted["status"], noted["code"]) == ("pending", 0 if kind == "reset" else kind)
    assert noted["answer"] == ("no answer: RemoteDisconnected" if kind == "reset" else "so it is")
    assert len(receiver.got) == 1, "a redirect is not followed"
    here.later(DELAYS[0])
    assert sent(caller, made.hook) == [("agent.paused", "delivered", 2)]
    assert "failing_since" not in hooks.get(caller.account_id, made.hook["id"])


def test_a_message_that_the_queue_gives_twice_is_sent_once(here, caller, receiver):
    made = hooks.create(caller.account_id, receiver.url, ["agent.paused"])
    to_over(caller)
    here.tell()
    (body,) = [message.body for message in here.queue._messages.values()]
    here.deliver()
    here.queue.send_message_batch("", [{"MessageBody": body, "Id": "1"}])
    here.deliver()
    assert len(receiver.events(made.secret)) == 1
    assert len(here.queue) == 0


@pytest.mark.parametrize("step", ["before the receiver answers", "after it has answered"])
def test_a_delivery_that_is_killed_comes_again(here, caller, receiver, monkeypatch, step):
    made = hooks.create(caller.account_id, receiver.url, ["agent.paused"])
    to_over(caller)
    here.tell()
    post = sending.post

    def killed(*arguments):
        if step == "after it has answered":
            post(*arguments)
        raise Killed

    monkeypatch.setattr(sending, "post", killed)
    with pytest.raises(Killed):
        here.deliver()
    monkeypatch.setattr(sending, "post", post)
    here.later(VISIBILITY)
    events = receiver.events(made.secret)
    assert len(events) == (2 if step == "after it has answered" else 1)
    assert len({event["id"] for event in events}) == 1
    assert sent(caller, made.hook) == [("agent.paused", "delivered", 1)]


def test_a_webhook_that_is_off_or_deleted_gets_nothing(here, caller, receiver):
    off, gone = (hooks.create(caller.account_id, receiver.url, ["agent.paused"]).hook for _ in range(2))
    to_over(caller)
    here.tell()
    hooks.update(caller.account_id, off["id"], {"enabled": False})
    hooks.delete(caller.account_id, gone["id"])
    here.deliver()
    assert receiver.got == []
    assert sent(caller, off) == [("agent.paused", "dropped", 0)]
    hooks.update(caller.account_id, off["id"], {"enabled": True})
    here.settle()
    assert receiver.got == [], "what happened meanwhile is not told later"


def test_a_webhook_that_fails_for_five_days_is_switched_off_and_its_owner_told(here, caller, receiver, stopped_clock):
    failing = hooks.create(caller.account_id, receiver.url, ["agent.paused"])
    receiver.plan.extend([500] * 99)
    one = to_over(caller)
    here.settle()
    stopped_clock.time += webhooks.PATIENCE - 60
    caller.post(f"/instances/{one}/reset", json={"mode": "initial"})
    to_over(caller, one)
    here.later(0)
    assert hooks.get(caller.account_id, failing.hook["id"])["enabled"]
    stopped_clock.time += 60
    other = hooks.create(caller.account_id, receiver.url.replace("hook", "other"), ["webhook.disabled"])
    here.later(DELAYS[0])
    hook = hooks.get(caller.account_id, failing.hook["id"])
    assert (hook["enabled"], hook["disabled_reason"]) == (0, "it failed for five days")
    receiver.plan.clear()
    receiver.got.clear()
    here.later(DELAYS[-1])
    # The library takes the time from this machine's clock, and this world's clock stands elsewhere.
    (told,) = [json.loads(body) for _, body in receiver.got]
    assert (told["type"], told["data"]["webhook_id"], told["data"]["url"]) == (
        "webhook.disabled", failing.hook["id"], receiver.url,
    )  # fmt: skip
    assert sent(caller, other.hook) == [("webhook.disabled", "delivered", 1)]
    assert told["timestamp"] == iso(stopped_clock.time)


def test_two_secrets_sign_while_one_is_rotated(here, caller, receiver, stopped_clock):
    import time

    stopped_clock.time = time.time()
    made = hooks.create(caller.account_id, receiver.url, ["agent.paused"])
    new = hooks.rotate(caller.account_id, made.hook["id"])
    one = to_over(caller)
    here.settle()
    assert receiver.events(made.secret) == receiver.events(new.secret) != []
    stopped_clock.time += webhooks.OVERLAP + 1
    caller.post(f"/instances/{one}/reset", json={"mode": "initial"})
    to_over(caller, one)
    here.settle()
    headers, body = receiver.got[-1]
    # One signature is left, and it is the newer secret's.
    from datetime import UTC, datetime

    at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC).replace(tzinfo=None)
    assert headers["webhook-signature"] == Webhook(new.secret).sign(headers["webhook-id"], at, body)


def test_a_test_goes_to_one_webhook_at_once_and_a_delivery_again_has_the_same_id(here, caller, receiver):
    made, other = (hooks.create(caller.account_id, receiver.url, ["agent.paused"]) for _ in range(2))
    delivery = hooks.send_test(caller.account_id, made.hook["id"])
    here.settle()
    (event,) = receiver.events(made.secret)
    assert (event["type"], receiver.got[0][0]["webhook-id"]) == ("webhook.test", delivery)
    assert sent(caller, other.hook) == []
    hooks.send_again(caller.account_id, made.hook["id"], delivery)
    here.settle()
    assert [headers["webhook-id"] for headers, _ in receiver.got] == [delivery] * 2
    assert receiver.events(made.secret)[0] == receiver.events(made.secret)[1]
    with pytest.raises(hooks.UnknownWebhook):
        hooks.send_again(caller.account_id, made.hook["id"], "0" * 64)
    hooks.update(caller.account_id, made.hook["id"], {"enabled": False})
    with pytest.raises(hooks.SwitchedOff):
        hooks.send_test(caller.account_id, made.hook["id"])


def test_a_secret_is_stored_sealed_and_opens_for_its_webhook_alone(here, caller, receiver):
    from cryptography.exceptions import InvalidTag

    made = hooks.create(caller.account_id, receiver.url)
    stored = str(list(dynamodb.scan(("PK", "SK", "secret", "url"))))
    assert made.secret not in stored
    assert made.secret.removeprefix("whsec_") not in stored
    sealed = hooks.get(caller.account_id, made.hook["id"])["secret"]
    assert sealing.unseal(sealed, caller.account_id, made.hook["id"]) == made.secret
    with pytest.raises(InvalidTag):
        sealing.unseal(sealed, caller.account_id, "hook_0000000000000000")


def test_a_redelivered_stream_record_sends_nothing_twice(here, caller, receiver):
    made = hooks.create(caller.account_id, receiver.url, ["agent.paused"])
    to_over(caller)
    from local import events

    records = next(here.stream)
    for _ in range(3):
        assert events.told(records) == []
        here.deliver()
    assert len(receiver.events(made.secret)) == 1


def test_what_was_not_delivered_is_found_again_in_the_table(here, caller, receiver):
    from local import events

    made = hooks.create(caller.account_id, receiver.url, ["agent.paused", "agent.resumed", "agent.deleted"])
    receiver.plan.extend([500])
    one = to_over(caller)
    here.settle()  # agent.paused failed once, and waits
    caller.post(f"/instances/{one}/reset", json={"mode": "initial"})
    next(here.stream)  # ... is never told: the server is killed
    here.queue._messages.clear()
    events.find_unfinished()
    here.deliver()
    assert sorted(event["type"] for event in receiver.events(made.secret)[1:]) == ["agent.paused", "agent.resumed"]
    before = len(receiver.got)
    events.find_unfinished()
    here.deliver()
    assert len(receiver.got) == before


def test_a_deleted_account_leaves_no_webhook_and_no_delivery(here, caller, receiver):
    from identity_service.store import account_deletion, accounts

    hooks.create(caller.account_id, receiver.url)
    to_over(caller)
    here.settle()
    accounts.begin_deletion(caller.account_id)
    account_deletion.delete(caller.account_id)
    assert not [item for item in dynamodb.scan(("PK",)) if caller.account_id in item["PK"]]


def test_a_deployed_stage_counts_what_happens_to_agents_and_deliveries(here, caller, receiver, monkeypatch, capsys):
    monkeypatch.setenv("IDENTITY_OS_STAGE", "dev")
    hooks.create(caller.account_id, receiver.url, ["agent.paused"])
    receiver.plan.append(500)
    to_over(caller)
    here.settle()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    counted = {name: value for line in lines for name, value in line.items()}
    assert (counted["stage"], counted["service"]) == ("dev", "events")
    assert {"EnteredOVER", "LeftLOW", "Paused", "Escalated", "DeliveriesPending", "DeliveryLatency"} <= set(counted)
    shown = set(re.findall(r'"IdentityOS","(\w+)","stage"', (template.ROOT / "template.yaml").read_text()))
    entered = {f"Entered{state}" for state in STRESS_STATES}
    outcomes = {"DeliveriesDelivered", "DeliveriesPending", "DeliveriesFailed", "DeliveryLatency"}
    made = {*fanout._METRICS.values()} | entered | outcomes
    assert shown <= made, "the dashboard shows metrics that exist"


def test_the_bus_gets_every_event_whoever_listens(here, caller, monkeypatch):
    sent = []

    class Bus:
        def put_events(self, **given):
            sent.extend(given["Entries"])
            return {"FailedEntryCount": 0 if len(sent) > 1 else 1, "Entries": [{"ErrorCode": "ThrottlingException"}]}

    monkeypatch.setenv("IDENTITY_OS_EVENT_BUS", "identity-os-dev")
    monkeypatch.setattr(fanout, "_eventbridge", Bus)
    to_over(caller)
    here.tell()
    assert here.pending, "what the bus refused comes again"
    sent.append(None)
    here.tell()
    assert here.pending == []
    told = {entry["DetailType"]: entry for entry in sent if entry}
    assert {"agent.created", "agent.stress_changed", "agent.paused", "agent.escalated", "key.created"} <= set(told)
    one = told["agent.paused"]
    assert (one["Source"], one["EventBusName"]) == ("identity-os", "identity-os-dev")
    assert json.loads(one["Detail"])["data"]["account_id"] == caller.account_id
