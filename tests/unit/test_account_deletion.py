"""`accounts delete`: everything of an account is removed, nothing of another, also when the command is killed at any point."""

import io
from types import SimpleNamespace
from uuid import uuid4

import pytest

import cli.account_deletion
from cli.main import main
from identity_service.clock import now
from identity_service.store import account_deletion, accounts, instances, usage
from identity_service.store import dynamodb as store_client
from local import stream, template
from tests.conftest import Caller
from tests.unit.stack import Killed, state, stored_instance


@pytest.fixture
def run(edge, capsys, monkeypatch):
    monkeypatch.setenv("IDENTITY_OS_TABLE", "identity-os")
    # The command must not depend on the purge in the background.
    monkeypatch.setattr(stream, "handler", lambda *_: {"batchItemFailures": []})

    def run(*words):
        code = main(list(words))
        captured = capsys.readouterr()
        return code, captured.out.strip(), captured.err.strip()

    return run


@pytest.fixture
def slept(monkeypatch):
    """The seconds for which the command waited."""
    waits = []
    monkeypatch.setattr(cli.account_deletion, "time", SimpleNamespace(sleep=waits.append))
    return waits


def everything():
    return sorted((item["PK"], item["SK"]) for item in store_client.scan(("PK", "SK")))


def populated(account_id):
    """Gives an account what an account can have, without requests: two keys, usage, idempotency records, two instances."""
    first = accounts.create_key(account_id, "one")
    accounts.create_key(account_id, "two")
    accounts.revoke_key(account_id, first.id)
    usage.count(account_id, usage.windows(now()), 1, 10, 10)
    store_client.write(store_client.put({"PK": f"ACCOUNT#{account_id}", "SK": "IDEM#1"}))
    for name in ("A", "B"):
        partition = stored_instance(account_id, name).partition()
        store_client.write(store_client.put({"PK": partition, "SK": "OBS#000000000001"}))


def test_everything_of_the_account_is_removed_and_nothing_of_another(run, edge, slept):
    kept = Caller(edge, "pro")
    kept.process(kept.new_instance())
    before = everything()
    gone = Caller(edge, "pro")
    for _ in range(3):
        instance_id = gone.new_instance()
        for _ in range(30):
            gone.process(instance_id, "STRESS_RESPONSE", 0.9)
    gone.post("/instances", json={"name": "B"}, headers={"Idempotency-Key": str(uuid4())})
    gone.delete(f"/instances/{instance_id}")
    accounts.create_key(gone.account_id, "second")
    owned = len(everything()) - len(before)
    assert owned > 100
    code, out, _ = run("accounts", "delete", gone.account_id, "--yes", "--wait", "0")
    left = set(everything()) - set(before)
    # What an instance that its owner deleted leaves belongs to the purge, which this test has stopped.
    assert code == 0
    assert all(partition == instances.partition(gone.account_id, instance_id) for partition, _ in left)
    told = 2  # the events of the keys that the deletion revoked
    assert out == f"{gone.account_id} is deleted: 3 instances, {owned - len(left) + told} items"
    assert set(before) <= set(everything())
    assert kept.get("/instances").json()["pagination"]["total"] == 1
    assert gone.account_id not in run("accounts", "list")[1]
    assert run("accounts", "delete", gone.account_id, "--yes") == (1, "", f"identity-os: no account {gone.account_id}")
    assert run("purge")[0] == 0
    assert everything() == before


@pytest.mark.parametrize("typed", ["", "\n", "yes\n", "acct_0000000000000000\n"])
def test_nothing_is_deleted_unless_the_id_is_typed(run, pro, monkeypatch, slept, typed):
    before = everything()
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    code, out, err = run("accounts", "delete", pro.account_id)
    assert (code, out) == (1, "")
    assert "'test pro', plan pro, 0 instances, 1 valid keys" in err
    assert "nothing was deleted" in err
    assert everything() == before
    assert accounts.authenticate(pro.key)


def test_typed_id_confirms(run, pro, monkeypatch, slept):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{pro.account_id}\n"))
    assert run("accounts", "delete", pro.account_id)[0] == 0
    assert everything() == []


def test_the_rest_waits_until_no_accepted_request_can_be_running(run, edge, monkeypatch, slept, stopped_clock):
    assert template.authorizer()[1] == cli.account_deletion.CACHE_ENDS
    fresh, interrupted, suspended = (Caller(edge, "pro").account_id for _ in range(3))
    accounts.suspend(suspended)
    stopped_clock.time += 60
    accounts.begin_deletion(interrupted)
    stopped_clock.time += 40
    for account_id in (fresh, interrupted, suspended):
        assert run("accounts", "delete", account_id, "--yes")[0] == 0
    assert slept == [95, 55]


def test_the_keys_end_before_the_wait_and_the_data_after_it(run, pro, monkeypatch):
    pro.new_instance()
    seen = []

    def sleep(_):
        (key,) = accounts.list_keys(pro.account_id)
        seen.append((key["revoked_at"] is not None, instances.count(pro.account_id), accounts.authenticate(pro.key)))

    monkeypatch.setattr(cli.account_deletion, "time", SimpleNamespace(sleep=sleep))
    assert run("accounts", "delete", pro.account_id, "--yes")[0] == 0
    assert seen == [(True, 1, None)]


def test_interrupted_wait_says_how_to_go_on(run, pro, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.account_deletion, "time", SimpleNamespace(sleep=interrupt))
    code, _, err = run("accounts", "delete", pro.account_id, "--yes")
    assert (code, err.splitlines()[-1]) == (1, "identity-os: interrupted: run the command again to complete it")


def test_account_whose_deletion_has_begun_cannot_be_resumed_and_gets_no_keys(run, pro):
    accounts.begin_deletion(pro.account_id)
    before = everything()
    for words in (("accounts", "resume", pro.account_id), ("keys", "create", pro.account_id)):
        code, out, err = run(*words)
        assert (code, out) == (1, "")
        assert err == (
            f"identity-os: the deletion of {pro.account_id} has begun; "
            f"to complete it: identity-os accounts delete {pro.account_id}"
        )
    assert run("accounts", "suspend", pro.account_id)[0] == 0
    assert everything() == before
    assert run("accounts", "list")[1].splitlines()[1].split()[2] == "deleting"


def test_data_of_an_account_is_never_removed_before_its_keys(pro):
    with pytest.raises(ValueError, match="not begun"):
        account_deletion.delete(pro.account_id)


def test_instance_that_the_index_does_not_list_yet_is_not_left_behind(run, pro, monkeypatch, slept):
    pro.new_instance()
    listed, lists = instances.all_of, []

    def late(account_id, attributes):
        lists.append(account_id)
        return listed(account_id, attributes) if len(lists) > 8 else iter(())

    monkeypatch.setattr(instances, "all_of", late)
    code, _, err = run("accounts", "delete", pro.account_id, "--yes")
    assert (code, err.splitlines()[-1]) == (
        1,
        "identity-os: 1 instances of the account are not listed yet: run the command again in a moment",
    )
    assert run("accounts", "delete", pro.account_id, "--yes")[0] == 0
    assert everything() == []


def test_instance_that_is_created_at_the_last_moment_is_not_left_behind(run, pro, monkeypatch, slept):
    remove = account_deletion._remove_own_items

    def remove_then_create(account_id):
        removed = remove(account_id)
        stored_instance(account_id, "late")
        return removed

    monkeypatch.setattr(account_deletion, "_remove_own_items", remove_then_create)
    code, _, err = run("accounts", "delete", pro.account_id, "--yes")
    assert (code, err.splitlines()[-1]) == (
        1,
        "identity-os: something else changed the same data at the same time: run the command again",
    )
    monkeypatch.setattr(account_deletion, "_remove_own_items", remove)
    assert run("accounts", "delete", pro.account_id, "--yes")[0] == 0
    assert everything() == []


@pytest.mark.long
def test_delete_killed_at_any_call_is_completed_when_run_again(run, usage_plans, killed_at):
    other = accounts.create_account("Other", "pro")
    populated(other)
    before = everything()
    for at in range(1, 100):
        account = run("accounts", "create", "Acme", "--plan", "indie")[1]
        populated(account)
        words = ("accounts", "delete", account, "--yes", "--wait", "0")
        killed_at(at)
        try:
            run(*words)
            break
        except Killed:
            killed_at(None)
        gone = account not in [entry["id"] for entry in accounts.list_accounts()]
        assert run(*words)[0] == (1 if gone else 0)
        assert everything() == before
        assert state(usage_plans) == []
    killed_at(None)
    assert everything() == before
    assert 30 < at < 99
