"""Accounts in DynamoDB and API Gateway stay in sync, also after crashes. Uses moto's API Gateway."""

import json

import pytest

from cli.main import main
from identity_service.store import accounts
from tests.unit.stack import STACK, Killed, aws, state


@pytest.fixture
def run(usage_plans, capsys):
    def run(*words):
        code = main(list(words))
        captured = capsys.readouterr()
        return code, captured.out.strip(), captured.err.strip()

    return run


def test_an_account_has_one_key_on_the_usage_plan_of_its_plan(run, usage_plans):
    account = run("accounts", "create", "Acme", "--plan", "indie")[1]
    expected = [(account, True, True, ["indie"])]
    assert state(usage_plans) == expected
    secrets = [run("keys", "create", account)[1] for _ in range(2)]
    assert state(usage_plans) == expected
    assert all(accounts.authenticate(secret) for secret in secrets)
    for plan in ("pro", "pro", "free", "enterprise"):
        assert run("accounts", "set-plan", account, plan)[0] == 0
        assert state(usage_plans) == [(account, True, True, [plan])]
    other = run("accounts", "create", "Other")[1]
    assert state(usage_plans) == sorted([(account, True, True, ["enterprise"]), (other, True, True, ["free"])])
    assert run("plans", "check")[1] == "2 accounts, 0 out of step"


def test_custom_limit_above_the_plan_is_not_throttled_by_its_usage_plan(run, usage_plans):
    account = run("accounts", "create", "Acme", "--plan", "pro")[1]
    run("accounts", "set-plan", account, "pro", "--per-minute", "1000")
    assert state(usage_plans) == [(account, True, True, ["enterprise"])]
    run("accounts", "set-plan", account, "pro", "--per-minute", "20")
    assert state(usage_plans) == [(account, True, True, ["pro"])]


def test_suspended_account_has_a_disabled_key_until_it_is_resumed(run, usage_plans):
    account = run("accounts", "create", "Acme", "--plan", "indie")[1]
    secret = run("keys", "create", account)[1]
    for _ in range(2):
        assert run("accounts", "suspend", account)[0] == 0
        assert state(usage_plans) == [(account, True, False, ["indie"])]
        assert accounts.authenticate(secret) is None
    assert run("plans", "check", "--dry-run")[0] == 0
    gateway = aws("apigateway")
    gateway.delete_api_key(apiKey=gateway.get_api_keys()["items"][0]["id"])
    assert run("plans", "check")[1].splitlines()[0] == f"{account} has no gateway key; is not on usage plan indie: repaired"
    assert state(usage_plans) == [(account, True, False, ["indie"])]
    for _ in range(2):
        assert run("accounts", "resume", account)[0] == 0
        assert state(usage_plans) == [(account, True, True, ["indie"])]
        assert accounts.authenticate(secret).account_id == account


COMMANDS = [
    ("keys", "create", "--name", "ci", "--replace"),
    ("accounts", "set-plan", "pro"),
    ("accounts", "set-plan", "free"),
    ("accounts", "suspend"),
]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_command_killed_at_any_call_succeeds_when_run_again(run, usage_plans, killed_at, words, after):
    group, command, *rest = words
    for at in range(1, 60):
        account = accounts.create_account("Acme", "indie")  # the state after a killed `accounts create`
        accounts.create_key(account, "ci")
        killed_at(at, after)
        try:
            run(group, command, account, *rest)
            break
        except Killed:
            killed_at(None)
            assert run(group, command, account, *rest)[0] == 0
        plan = accounts.get_account(account)["plan"]
        assert plan == (rest[0] if command == "set-plan" else "indie")
        enabled = command != "suspend"
        assert [row for row in state(usage_plans) if row[0] == account] == [(account, True, enabled, [plan])]
        works = [key for key in accounts.list_keys(account) if not key["revoked_at"]]
        assert len(works) == 1
    assert 8 < at < 59


def test_plans_check_finds_and_repairs_problems(run, usage_plans):
    names = ["fine", "no key", "disabled", "two plans", "wrong plan", "no plan", "wrong value"]
    ids = {name: run("accounts", "create", name, "--plan", "indie")[1] for name in names}
    gateway = aws("apigateway")
    keys = {key["name"].removeprefix(f"{STACK}-"): key["id"] for key in gateway.get_api_keys()["items"]}
    key_of = {name: keys[account] for name, account in ids.items()}

    gateway.delete_api_key(apiKey=key_of["no key"])
    for name in ("wrong plan", "no plan"):
        gateway.delete_usage_plan_key(usagePlanId=usage_plans["indie"], keyId=key_of[name])
    for name in ("two plans", "wrong plan"):
        gateway.create_usage_plan_key(usagePlanId=usage_plans["pro"], keyId=key_of[name], keyType="API_KEY")
    disable = [{"op": "replace", "path": "/enabled", "value": "false"}]
    gateway.update_api_key(apiKey=key_of["disabled"], patchOperations=disable)
    gateway.delete_usage_plan_key(usagePlanId=usage_plans["indie"], keyId=key_of["wrong value"])
    gateway.delete_api_key(apiKey=key_of["wrong value"])
    gateway.create_api_key(name=f"{STACK}-{ids['wrong value']}", value="x" * 40, enabled=True)
    gateway.create_api_key(name=f"{STACK}-acct_gone", value="y" * 40, enabled=True)
    gateway.create_api_key(name="somebody else's", value="z" * 40, enabled=True)

    before = state(usage_plans)
    code, out, _ = run("plans", "check", "--dry-run")
    assert code == 1
    assert state(usage_plans) == before
    assert "7 accounts, 7 out of step" in out
    assert all(ids[name] in out for name in names[1:])
    assert ids["fine"] not in out

    code, out, _ = run("plans", "check")
    assert code == 0
    assert "7 accounts, 7 out of step, repaired" in out
    right = [(account, True, True, ["indie"]) for account in ids.values()]
    assert state(usage_plans) == sorted([*right, ("somebody else's", False, True, [])])
    for words in (("plans", "check"), ("plans", "check", "--dry-run")):
        assert run(*words)[:2] == (0, "7 accounts, 0 out of step")


def test_plans_check_killed_at_any_call_is_completed_by_the_next(run, usage_plans, killed_at):
    ids = [accounts.create_account(str(number), "pro") for number in range(3)]
    for at in range(1, 60):
        killed_at(at)
        try:
            assert run("plans", "check")[0] == 0
            break
        except Killed:
            continue
    killed_at(None)
    assert state(usage_plans) == sorted((account, True, True, ["pro"]) for account in ids)


def test_missing_gateway_is_reported(run, monkeypatch):
    code, _, err = run("--stack", "nowhere", "plans", "check")
    assert (code, "no stack nowhere" in err) == (1, True)
    aws("cloudformation").create_stack(
        StackName="another", TemplateBody=json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
    )
    code, _, err = run("--stack", "another", "accounts", "list")
    assert (code, "has no output" in err) == (1, True)
    monkeypatch.delenv("IDENTITY_OS_STACK")
    monkeypatch.setenv("IDENTITY_OS_TABLE", "identity-os")
    code, _, err = run("plans", "check")
    assert (code, "--stack" in err) == (1, True)
