"""Every method against the local server of this checkout, and the documented example."""

import asyncio
import logging
import runpy
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from identity_os_sdk import (
    Action,
    ActionNotAllowedError,
    AuthenticationError,
    ConfigurationError,
    EscalatedError,
    Guard,
    IdentityOS,
    IdentityOSAsync,
    IdentityOSError,
    IncompleteTestError,
    InvalidRequestError,
    Mode,
    NotFoundError,
    Observation,
    PausedError,
    RateLimitError,
    UnknownActionError,
)


@pytest.fixture
def client(server):
    url, keys = server
    with IdentityOS(keys["enterprise"], url) as made:
        yield made


def test_the_seeds_snippet(server, monkeypatch):
    url, keys = server
    monkeypatch.setenv("IDENTITY_OS_BASE_URL", url)
    client = IdentityOS(api_key=keys["enterprise"])
    instance = client.instances.create(name="Aria")
    result = client.engine.process(instance.id, Mode.EXPLORATION, 0.8)
    assert result.contract.stress_state == "LOW"
    assert result.snapshot.cycle == 1
    assert client.last_response.request_id
    assert client.last_response.rate_limit.remaining is not None


@pytest.mark.parametrize("tail", ["", "/", "/v1", "/v1/"])
def test_the_base_url_with_and_without_version(server, monkeypatch, tail):
    url, keys = server
    monkeypatch.setenv("IDENTITY_OS_API_KEY", keys["enterprise"])
    assert len(IdentityOS(base_url=url + tail).personas.list().data) == 12


def test_an_upgrade_a_fork_and_an_earlier_contract(client):
    one = client.instances.create("Aria", initial_config={"engine_version": "1.0.0"})
    first = client.engine.process(one.id, Mode.ORDER, 0.5).contract
    client.engine.process(one.id, Mode.STRESS_RESPONSE, 0.9)
    then = client.engine.get_contract(one.id, explain=True, cycle=1)
    assert (then.cycle, then.allowed_actions, len(then.explanation)) == (1, first.allowed_actions, 14)
    record = client.engine.audit(one.id).data[1]
    assert (then.proof.record, then.proof.digest, then.proof.engine_version) == (2, record.digest, "1.0.0")
    preview = client.engine.upgrade(one.id)
    assert (preview.preview, preview.cycles, preview.from_version) == (True, 2, "1.0.0")
    assert client.instances.get(one.id).engine_version == "1.0.0"
    done = client.engine.upgrade(one.id, preview.engine_version, preview=False, note="as previewed")
    assert (done.preview, done.contract) == (False, preview.upgraded_contract)
    assert client.engine.audit(one.id).data[-1].upgrade["how"] == done.how == "migrated"
    fork = client.engine.fork(one.id, 1, "Other")
    assert (fork.engine_version, fork.forked_from.instance_id, fork.cycle_count) == ("1.0.0", one.id, 1)
    assert client.engine.verify(fork.id).verified is client.engine.verify(one.id).verified is True


def test_every_method(client):
    one = client.instances.create("Aria", "an agent", {"mode_strengths": {"ORDER": 0.4}, "energy_level": 0.7})
    assert client.instances.get(one.id).energy_level == 0.7
    assert client.instances.update(one.id, description="other").description == "other"
    assert one.id in [row.id for row in client.instances.list(limit=100, sort="name", order="asc").data]
    assert one.id in [row.id for row in client.instances.iterate()]

    batch = [Observation(mode_target="ORDER", signal_strength=0.6), {"mode_target": "EXPLORATION", "signal_strength": 0.4}]
    simulated = client.engine.simulate(one.id, batch, include_intermediate=True)
    done = client.engine.process_batch(one.id, batch, include_intermediate=True)
    assert (done.processed_count, len(done.states)) == (2, 2)
    assert simulated.final.snapshot == done.final.snapshot
    assert client.engine.process_batch(one.id, batch).final.snapshot.cycle == 4
    assert client.engine.get_snapshot(one.id).cycle_count == 4
    assert len(client.engine.get_contract(one.id, explain=True).explanation) == 14
    assert client.engine.get_contract(one.id).explanation == []
    assert client.engine.assess_goal(one.id, "low", [Mode.ORDER]).decision in ("accept", "defer", "reject")
    for _ in range(12):
        client.engine.process_batch(one.id, [Observation(mode_target="STRESS_RESPONSE", signal_strength=1.0)] * 20)
    assert client.engine.get_drift(one.id, level="D1").pagination.total >= 0
    events = list(client.engine.iterate_drift(one.id))
    assert len(events) == client.engine.get_drift(one.id).pagination.total
    assert client.engine.get_history(one.id, limit=3).data[0].seq == 244
    page = client.engine.get_timeline(one.id, limit=2, before=200)
    assert [row.seq for row in page.data] == [199, 198]
    assert page.pagination.has_more
    assert page.data[0].allowed_count is not None
    assert [row.seq for row in client.engine.iterate_history(one.id)] == list(range(244, 0, -1))
    assert client.engine.reset(one.id, "initial").cycle == 0
    assert [row.record for row in client.engine.iterate_audit(one.id)] == list(range(1, 17))
    assert client.engine.verify(one.id).verified is True

    asked = client.test.questions("v1")
    answers = {question.id: question.options[0].id for question in asked.questions}
    assert client.test.submit("v1", answers, instance_id=one.id).instance_id == one.id
    tested = client.test.submit("v1", answers, instance_name="Tested")
    assert client.personas.get(tested.matched_personas[0].id).long_description
    with pytest.raises(IncompleteTestError) as raised:
        client.test.submit("v1", {}, instance_id=one.id)
    assert raised.value.missing_questions == [question.id for question in asked.questions]

    assert client.instances.delete(one.id).deleted
    with pytest.raises(NotFoundError):
        client.instances.get(one.id)


def test_the_async_client_has_every_method(server):
    url, keys = server

    async def story():
        async with IdentityOSAsync(keys["enterprise"], url) as client:
            one = await client.instances.create("Aria")
            await asyncio.gather(*(client.engine.process(one.id, Mode.ORDER, 0.5) for _ in range(5)))
            rows = [row.seq async for row in client.engine.iterate_history(one.id)]
            assert (await client.engine.verify(one.id)).verified
            return rows

    assert asyncio.run(story()) == [5, 4, 3, 2, 1]
    for resource in ("instances", "engine", "personas", "test", "webhooks"):
        names = [set(dir(getattr(made("idos_sk_x", url), resource))) for made in (IdentityOS, IdentityOSAsync)]
        assert names[0] == names[1]


def test_rows_added_while_paging_are_not_duplicated(client):
    one = client.instances.create("Aria")
    client.engine.process_batch(one.id, [Observation(mode_target="ORDER", signal_strength=0.1)] * 100)
    client.engine.process_batch(one.id, [Observation(mode_target="ORDER", signal_strength=0.1)] * 100)
    seen = []
    for row in client.engine.iterate_history(one.id):
        seen.append(row.seq)
        if len(seen) == 50:
            client.engine.process_batch(one.id, [Observation(mode_target="ORDER", signal_strength=0.1)] * 7)
    assert seen == list(range(200, 0, -1))


def test_errors_name_the_bad_field(client, server):
    url, keys = server
    with pytest.raises(InvalidRequestError) as raised:
        client.engine.process("inst_0000000000000000", "NONSENSE", 2)
    assert [problem["field"] for problem in raised.value.problems] == ["mode_target", "signal_strength"]
    assert (raised.value.field, raised.value.reason) == ("mode_target", "unknown_value")
    with pytest.raises(AuthenticationError), IdentityOS("idos_sk_wrong", url) as wrong:
        wrong.instances.list()
    with IdentityOS(keys["free"], url, longest_wait=0) as hasty, pytest.raises(RateLimitError) as limited:
        [hasty.personas.list() for _ in range(21)]
    assert 0 < limited.value.retry_after <= 60


def test_a_client_without_a_key_or_with_an_invalid_url(monkeypatch):
    monkeypatch.delenv("IDENTITY_OS_API_KEY", raising=False)
    with pytest.raises(ConfigurationError, match="IDENTITY_OS_API_KEY"):
        IdentityOS()
    with pytest.raises(ConfigurationError, match="https"):
        IdentityOS("k", "ftp://x")


def test_a_guard_allows_only_allowed_actions(client):
    one = client.instances.create("Aria")
    contract = client.engine.get_contract(one.id)
    entered = []
    with contract.guard(Action.EXECUTE) as same:
        entered.append(same)
    with pytest.raises(UnknownActionError, match="'exceute': one of explore, question") as unknown, contract.guard("exceute"):
        entered.append("never")
    assert isinstance(unknown.value, ValueError)
    stressed = [client.engine.process(one.id, Mode.STRESS_RESPONSE, 0.9) for _ in range(3)][-1].contract
    with pytest.raises(ActionNotAllowedError) as refused, stressed.guard("execute"):
        entered.append("never")
    assert entered == [contract]
    assert (type(refused.value), refused.value.action, refused.value.reason) == (ActionNotAllowedError, "execute", None)


def test_a_guard_honours_a_pause_and_an_escalation(client):
    one = client.instances.create("Aria")
    batch = client.engine.process_batch(one.id, [Observation(mode_target="STRESS_RESPONSE", signal_strength=1.0)] * 30)
    contract = batch.final.contract
    assert contract.should_pause
    assert contract.should_escalate
    with pytest.raises(EscalatedError) as escalated, contract.guard("execute"):
        pass
    assert escalated.value.reason == contract.escalation_reason
    with contract.guard(Action.STABILIZE):
        pass
    paused = contract.model_copy(update={"should_escalate": False, "allowed_actions": [*contract.allowed_actions, "question"]})
    with pytest.raises(PausedError) as raised, paused.guard("question"):
        pass
    assert raised.value.reason == contract.pause_reason
    assert isinstance(raised.value, ActionNotAllowedError)


def test_an_incident_and_a_rebaseline(client):
    one = client.instances.create("Aria")
    assert client.engine.process(one.id, Mode.STRESS_RESPONSE, 0.3, severity="incident").contract.stress_state == "HIGH"
    assert client.engine.get_history(one.id).data[0].severity == "incident"
    assert client.engine.reset(one.id, "rebaseline").reset_to == "rebaseline"


def test_threads_may_share_a_client(client):
    one = client.instances.create("Aria")
    threads = [threading.Thread(target=client.engine.process, args=(one.id, Mode.ORDER, 0.5)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.engine.get_snapshot(one.id).cycle_count == 20


def test_nothing_secret_is_logged(server, caplog):
    url, keys = server
    caplog.set_level(logging.DEBUG)
    with IdentityOS(keys["enterprise"], url) as client:
        client.instances.create("a name that is nobody's business")
        assert keys["enterprise"] not in repr(client)
    assert "POST /instances: 201" in caplog.text
    assert keys["enterprise"] not in caplog.text
    assert "nobody's business" not in caplog.text


def test_the_example_runs(server, monkeypatch, capsys):
    url, keys = server
    monkeypatch.setenv("IDENTITY_OS_BASE_URL", url)
    monkeypatch.setenv("IDENTITY_OS_API_KEY", keys["enterprise"])
    runpy.run_path(str(Path(__file__).resolve().parents[1] / "examples" / "guarded_agent.py"), run_name="__main__")
    said = capsys.readouterr().out
    assert "not allowed" in said
    assert "the agent rests" in said
    assert "the agent stops: " in said


def test_a_guard_over_the_server(client):
    guard = Guard.open(client, "guarded-bot", tools={"refund": "execute"})
    assert Guard.open(client, "guarded-bot").instance_id == guard.instance_id
    for number in range(3):
        assert guard.before_tool("refund", {"order": 7}, f"c{number}").allowed
        guard.after_tool("refund", f"c{number}", error=RuntimeError("the backend is down"))
    assert guard.before_tool("refund", {"order": 7}, "c3").kind == "deny"
    assert guard.before_tool("get_order", {"order": 7}, "c4").allowed
    rows = client.engine.get_history(guard.instance_id).data
    assert [(row.mode_target, row.signal_strength) for row in rows] == [
        ("IDENTITY", 0.2), ("STRESS_RESPONSE", 0.8), ("STRESS_RESPONSE", 0.7), ("STRESS_RESPONSE", 0.45),
    ]  # fmt: skip
    assert "7" not in str(rows[1].context.get("arguments", ""))
    with guard.task("another"):
        assert guard.before_tool("refund", {"order": 8}, "c5").allowed


def test_whatever_is_raised_is_an_error_of_the_sdk(client):
    one = client.instances.create("Aria")
    for strength, context in ((float("nan"), None), (float("inf"), None), (0.5, {"x": object()})):
        with pytest.raises(IdentityOSError):
            client.engine.process(one.id, Mode.ORDER, strength, context=context)
    when = datetime(2026, 3, 24, 10, 15, 30, tzinfo=UTC)
    client.engine.process(one.id, Mode.ORDER, 0.5, timestamp=when, context={"at": when})
    row = client.engine.get_history(one.id).data[0]
    assert row.timestamp == "2026-03-24T10:15:30Z"
    assert row.context == {"at": "2026-03-24T10:15:30+00:00"}


def test_keys_are_trimmed_with_a_warning_or_refused(server, caplog):
    url, keys = server
    with IdentityOS(keys["enterprise"] + "\n", url) as trimmed:
        assert trimmed.personas.list().pagination.total == 12
    assert "white space" in caplog.text
    for key in ("idos sk", "idos_sk_ü", "a\nb"):
        with pytest.raises(ConfigurationError, match="no key has"):
            IdentityOS(key, url)
