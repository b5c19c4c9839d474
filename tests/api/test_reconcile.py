"""`usage check`: finds cycles that were reserved and never processed, and gives back exactly those."""

import pytest

from cli.main import main
from identity_service import limits
from identity_service.clock import now
from identity_service.store import dynamodb as store_client
from identity_service.store import instances, reconcile, usage
from tests.faults.client import FaultyClient, InOrder

MANY = 10**6


@pytest.fixture(autouse=True)
def a_table_alone(monkeypatch):
    monkeypatch.setenv("IDENTITY_OS_TABLE", "identity-os")


def at():
    return usage.windows(now())


def counted(caller):
    return usage.reserved(caller.account_id, at()).counted


def found(caller, wait=lambda: None):
    return reconcile.find([caller.account_id], at(), wait)[0]


def test_cycles_reserved_by_a_crashed_request_are_given_back_once(pro, capsys):
    one, other = pro.new_instance(), pro.new_instance("Other")
    for _ in range(3):
        pro.process(one)
    pro.process(other)
    pro.delete(f"/instances/{other}")
    usage.count(pro.account_id, at(), 7, MANY, MANY)  # and then the process crashes
    words = ["usage", "check", pro.account_id, "--wait", "0"]
    assert main([*words, "--dry-run"]) == 1
    assert counted(pro) == 11
    assert main(words) == 0
    assert "given back" in capsys.readouterr().out
    assert counted(pro) == 4
    assert main([*words, "--dry-run"]) == 0
    assert counted(pro) == 4


def test_requests_during_the_wait_are_not_counted_as_lost(pro):
    one = pro.new_instance()
    pro.process(one)
    usage.count(pro.account_id, at(), 5, MANY, MANY)

    def meanwhile():
        pro.process(one)
        usage.count(pro.account_id, at(), 2, MANY, MANY)
        usage.release(pro.account_id, at(), 2)
        usage.count(pro.account_id, at(), 3, MANY, MANY)  # still in flight

    finding = found(pro, meanwhile)
    assert finding.lost <= 5
    reconcile.repair(finding, at())
    assert counted(pro) >= 2 + 3
    reconcile.repair(found(pro), at())
    assert counted(pro) == 2


def test_two_checks_at_once_give_back_once(pro, capsys):
    usage.count(pro.account_id, at(), 5, MANY, MANY)
    one, other = found(pro), found(pro)
    reconcile.repair(one, at())
    with pytest.raises(instances.dynamodb.Conflict):
        reconcile.repair(other, at())
    assert counted(pro) == 0


def test_deletion_during_the_check_is_handled(pro, monkeypatch):
    one = pro.new_instance()
    for _ in range(3):
        pro.process(one)
    get_many = instances.dynamodb.get_many

    def deleted_meanwhile(*arguments):
        heads = get_many(*arguments)
        pro.delete(f"/instances/{one}")
        return heads

    monkeypatch.setattr(instances.dynamodb, "get_many", deleted_meanwhile)
    assert found(pro).lost == 0
    monkeypatch.undo()
    assert found(pro).lost == 0


def test_all_accounts_and_an_unknown_one(pro, free, capsys):
    usage.count(free.account_id, at(), 5, MANY, MANY)
    assert main(["usage", "check", "--wait", "0"]) == 0
    assert counted(free) == 0
    rows = capsys.readouterr().out
    assert pro.account_id in rows
    assert free.account_id in rows
    assert main(["usage", "check", "acct_x"]) == 1
    assert "no account acct_x" in capsys.readouterr().err


def test_counter_update_is_not_retried_after_a_timeout(pro, monkeypatch):
    one = pro.new_instance()
    client = FaultyClient(store_client.client())
    client.arm({1: "silent after"})
    with monkeypatch.context() as patched:
        patched.setattr(store_client, "client", lambda: client)
        patched.setattr(limits, "_executor", InOrder())
        assert pro.process(one).status_code == 503
    assert counted(pro) == 1
    reconcile.repair(found(pro), at())
    assert counted(pro) == 0
