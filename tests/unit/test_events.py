"""What a request's events are, and that they are stored with it: nothing for a cycle without events."""

import json

import pytest

from identity_service import engines, events
from identity_service.events import Moment
from identity_service.store import accounts, dynamodb, instances, outbox

ENGINE = engines.engine(engines.NEWEST)


def moment(cycle, stress="LOW", level=0, rolled_back=False, pause=None, escalation=None):
    contract = {"pause_reason": pause, "escalation_reason": escalation}
    flags = pause is not None, escalation is not None
    return Moment(cycle, stress, 1.0, level, level / 10, rolled_back, *flags, lambda: contract)


def standing(state):
    step = {"cycle": json.loads(state)["cycle"], "turn": ENGINE.turn(json.loads(state))}
    return events.moment_of(step, lambda: ENGINE.contract(json.loads(state)))


def types(found):
    return [event["type"] for event in found]


def test_a_cycle_that_changes_nothing_has_no_event():
    before, after = moment(7, "HIGH", 2, pause="p"), [moment(8, "HIGH", 2, pause="p"), moment(9, "HIGH", 2, pause="q")]
    assert events.of_cycles(before, after) == []
    assert events.attribute("Aria", after[-1], []) is None


def test_a_request_gives_one_event_of_a_type_with_the_first_cycle_and_the_last_state():
    after = [moment(2), moment(3, "MED"), moment(4, "OVER", pause="gone"), moment(5, "HIGH", pause="still gone")]
    changed, paused = events.of_cycles(moment(1), after)
    assert changed == {"type": "agent.stress_changed", "cycle": 3, "from": "LOW", "to": "HIGH"}
    assert paused == {"type": "agent.paused", "cycle": 4, "reason": "still gone"}
    stored = json.loads(events.attribute("Aria", after[-1], [changed, paused]))
    assert stored["agent"] == {"name": "Aria", "cycle": 5, "stress_state": "HIGH", "energy_level": 1.0}


def test_a_state_that_came_back_within_the_request_is_no_change():
    assert events.of_cycles(moment(1), [moment(2, "OVER", pause="gone"), moment(3)]) == []


def test_drift_is_told_when_it_begins_and_not_in_each_cycle():
    levels = [1, 2, 2, 3, 2, 0, 2]
    found = [types(events.of_cycles(moment(n, level=a), [moment(n + 1, level=b)]))
             for n, (a, b) in enumerate(zip([0, *levels], levels, strict=False))]  # fmt: skip
    assert found == [[], ["agent.drifted"], [], ["agent.drifted"], [], [], ["agent.drifted"]]
    (one,) = events.of_cycles(moment(0), [moment(n, level=level) for n, level in enumerate(levels, start=1)])
    assert (one["cycle"], one["level"]) == (2, "D3")
    back = events.of_cycles(moment(1, level=1), [moment(2, level=3, rolled_back=True), moment(3)])
    assert types(back) == ["agent.drifted", "agent.rolled_back"]


def test_flags_begin_and_end_with_their_reasons():
    begun = events.of_cycles(moment(1), [moment(2, escalation="OVER for 10 cycles")])
    assert begun == [{"type": "agent.escalated", "cycle": 2, "reason": "OVER for 10 cycles"}]
    ended = events.of_decision(moment(2, pause="gone"), moment(0), "initial", "checked")
    assert types(ended) == ["agent.reset", "agent.resumed"]
    assert ended[0] == {"type": "agent.reset", "cycle": 0, "mode": "initial", "note": "checked"}
    assert ended[1]["reason"] == "gone"
    assert types(events.of_decision(moment(2), moment(2), "rebaseline")) == ["agent.rebaselined"]


def test_the_engines_states_lead_to_the_events_of_their_contracts():
    state, seen = engines.birth().encoded, []
    for _ in range(30):
        row = {"mode_target": "STRESS_RESPONSE", "signal_strength": 0.9, "confidence": 1.0}
        done = ENGINE.process(json.loads(state), [row], contracts="every")
        (step,) = done["steps"]
        seen += types(events.of_cycles(events.moment_of(done["before"]), [events.moment_of(step)]))
        state = done["state"]
    assert seen.count("agent.stress_changed") == 3  # MED, HIGH, OVER
    assert seen.count("agent.paused") == seen.count("agent.escalated") == 1
    calm = ENGINE.reset(json.loads(state), "initial")
    kinds = types(events.of_decision(standing(state), standing(calm), "initial"))
    assert kinds == ["agent.reset", "agent.stress_changed", "agent.resumed", "agent.deescalated"]


def stored(pk, prefix="EVENT#"):
    items = dynamodb.query("PK = :pk AND begins_with(SK, :sk)", {":pk": pk, ":sk": prefix})
    return [item for item in items if "events" in item and not item["SK"].startswith("DRIFT#")]


def of_items(items):
    return [event["type"] for item in items for event in json.loads(item["events"])["events"]]


def test_the_record_of_a_request_has_its_events_and_no_other_record_has_any(pro):
    one = pro.new_instance()
    at = instances.partition(pro.account_id, one)
    assert of_items(stored(at)) == ["agent.created"]
    pro.process(one)
    assert of_items(stored(at, "OBS#")) == []
    pro.post(f"/instances/{one}/process/batch", json={"observations": [stress(0.9)] * 30})
    batch = stored(at, "OBS#")
    assert len(batch) == 1
    assert of_items(batch) == ["agent.stress_changed", "agent.paused", "agent.escalated"]
    pro.post(f"/instances/{one}/reset", json={"mode": "rebaseline", "note": "meant"})
    assert "agent.rebaselined" in of_items(stored(at, "EVENT#"))
    assert pro.get(f"/instances/{one}/audit/verify").json()["data"]["verified"]
    assert "events" not in pro.get(f"/instances/{one}/audit").text.replace('"drift_events"', "")


def test_a_request_that_changes_nothing_has_no_event(pro):
    one = pro.new_instance()
    at = instances.partition(pro.account_id, one)
    pro.post(f"/instances/{one}/simulate", json={"observations": [stress(0.9)] * 30})
    assert pro.process(one, "NONSENSE").status_code == 400
    assert of_items(stored(at)) == ["agent.created"]


def test_what_has_no_record_has_an_item_with_a_time_to_live(pro):
    one = pro.new_instance()
    pro.delete(f"/instances/{one}")
    key = accounts.list_keys(pro.account_id)[0]["id"]
    accounts.revoke_key(pro.account_id, key)
    accounts.revoke_key(pro.account_id, key)
    items = stored(outbox.account_partition(pro.account_id), "OUT#")
    assert sorted(of_items(items)) == ["agent.deleted", "key.created", "key.revoked"]
    assert all(item["expires"] > 0 and item["actor"] for item in items)


@pytest.mark.parametrize(("cycles", "told"), [(79, []), (80, [80]), (99, [80]), (100, [80, 100])])
def test_an_account_hears_of_its_thresholds_once(table, cycles, told):
    account = accounts.create_account("test", "free")
    for _ in range(2):
        outbox._stored.clear()
        outbox.look_at_thresholds(account, "c202603", 1_775_001_600, cycles, 100)
    items = stored(outbox.account_partition(account), "OUT#")
    assert sorted(json.loads(item["events"])["events"][0]["percent"] for item in items) == told


def test_a_threshold_is_told_by_the_request_that_reaches_it(free):
    one = free.new_instance()
    at = outbox.account_partition(free.account_id)
    dynamodb.write(dynamodb.update({"PK": at, "SK": "ACCOUNT"}, "SET per_month = :n", {":n": 10}))
    free.edge._known.clear()
    observation = {"mode_target": "ORDER", "signal_strength": 0.5}
    batch = lambda n: free.post(f"/instances/{one}/process/batch", json={"observations": [observation] * n})  # noqa: E731
    assert batch(7).status_code == 200
    assert "usage.threshold_reached" not in of_items(stored(at, "OUT#"))
    assert batch(2).status_code == 200
    assert of_items(stored(at, "OUT#")).count("usage.threshold_reached") == 1
    assert batch(2).status_code == 429
    assert of_items(stored(at, "OUT#")).count("usage.threshold_reached") == 1, "9 of 10 are not 100 %"
    assert batch(1).status_code == 200
    assert of_items(stored(at, "OUT#")).count("usage.threshold_reached") == 2


def test_every_type_is_one_that_somebody_can_ask_for():
    assert len(set(events.TYPES)) == len(events.TYPES) == 15
    assert {name.partition(".")[0] for name in events.TYPES} == {"agent", "key", "usage", "webhook"}


def test_ids_are_the_same_however_often_they_are_computed():
    assert events.event_id("a", "b") == events.event_id("a", "b") != events.event_id("ab")


def stress(strength):
    return {"mode_target": "STRESS_RESPONSE", "signal_strength": strength}
