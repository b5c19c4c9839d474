"""Accounts that signed up in the console share gateway keys: `plans check` makes them, the authorizer names them."""

import json

import pytest

from cli import gateway as cli_gateway
from cli.main import main
from functions.authorizer.app import handler
from identity_service.plans import PLANS
from identity_service.store import accounts, users
from tests.unit.stack import STACK, Killed, aws, state


@pytest.fixture
def run(usage_plans, capsys, monkeypatch):
    monkeypatch.setattr(cli_gateway, "SHARED_KEYS", 3)

    def run(*words):
        code = main(list(words))
        return code, capsys.readouterr().out.strip()

    return run


def shared(usage_plans):
    """The shared keys at the gateway: name, whether the value is the one that the authorizer names, usage plans."""
    rows = {}
    gateway = aws("apigateway")
    on = {
        plan: {key["id"] for key in gateway.get_usage_plan_keys(usagePlanId=id_)["items"]} for plan, id_ in usage_plans.items()
    }
    for key in gateway.get_api_keys(includeValues=True)["items"]:
        name = key["name"].removeprefix(f"{STACK}-")
        if name.startswith("shared-"):
            right = key["value"] == accounts.shared_gateway_key(int(name.removeprefix("shared-")))
            rows[name] = (right, key["enabled"], [plan for plan, ids in on.items() if key["id"] in ids])
    return rows


def signed_up(email="you@acme.example"):
    return users.create_account(users.sign_in("https://issuer.example", email, email), "request")


def named_by_the_authorizer(account_id):
    key = accounts.create_key(account_id, "test").secret
    event = {"authorizationToken": f"Bearer {key}", "methodArn": "arn:aws:execute-api:r:a:api/dev/GET/v1/instances"}
    return handler(event, None)["usageIdentifierKey"]


RIGHT = {f"shared-{number:02d}": (True, True, ["free-pool"]) for number in range(3)}


def test_plans_check_makes_the_shared_keys_and_repairs_them(run, usage_plans):
    assert run("plans", "check", "--dry-run")[0] == 1
    assert shared(usage_plans) == {}
    assert run("plans", "check")[1].splitlines()[-1] == "0 accounts, 0 out of step, 3 shared keys missing or wrong, repaired"
    assert shared(usage_plans) == RIGHT
    gateway = aws("apigateway")
    first, second, _ = sorted(gateway.get_api_keys()["items"], key=lambda key: key["name"])
    gateway.delete_api_key(apiKey=first["id"])
    gateway.delete_usage_plan_key(usagePlanId=usage_plans["free-pool"], keyId=second["id"])
    assert run("plans", "check")[0] == 0
    assert shared(usage_plans) == RIGHT
    assert run("plans", "check")[1] == "0 accounts, 0 out of step"


def test_plans_check_killed_at_any_call_is_completed_by_the_next(run, usage_plans, killed_at):
    for at in range(1, 80):
        killed_at(at)
        try:
            assert run("plans", "check")[0] == 0
            break
        except Killed:
            continue
    killed_at(None)
    assert shared(usage_plans) == RIGHT
    assert at < 79


def test_a_sign_up_calls_no_gateway_and_its_key_is_one_of_the_shared(run, usage_plans):
    run("plans", "check")
    before = state(usage_plans)
    account_id = signed_up()
    assert state(usage_plans) == before
    number = accounts.get_account(account_id)["shared_key"]
    assert 0 <= number < accounts.SHARED_KEYS
    assert named_by_the_authorizer(account_id) == accounts.shared_gateway_key(number)
    assert run("plans", "check")[1] == "1 accounts, 0 out of step"


def test_numbers_of_many_accounts_spread_over_the_keys(table):
    numbers = set()
    for number in range(300):
        account, _ = accounts.new_account(f"acct_{number}", "x", "free", shared_key=True)
        numbers.add(account["Put"]["Item"]["shared_key"]["N"])
    assert len(numbers) > 50


def test_another_plan_gives_it_a_key_of_its_own(run, usage_plans):
    account_id = signed_up()
    assert run("accounts", "set-plan", account_id, "indie")[0] == 0
    assert "shared_key" not in accounts.get_account(account_id)
    assert (account_id, True, True, ["indie"]) in state(usage_plans)
    assert named_by_the_authorizer(account_id) == accounts.gateway_key(account_id)


def test_suspending_one_does_not_touch_the_shared_key(run, usage_plans):
    run("plans", "check")
    account_id = signed_up()
    secret = accounts.create_key(account_id, "test").secret
    number = accounts.get_account(account_id)["shared_key"]
    assert run("accounts", "suspend", account_id)[0] == 0
    assert accounts.authenticate(secret) is None
    assert all(row[1] for row in shared(usage_plans).values()), json.dumps(number)
    assert run("plans", "check")[1] == "1 accounts, 0 out of step"


def test_a_deletion_leaves_the_shared_key_to_the_others(run, usage_plans):
    run("plans", "check")
    account_id = signed_up()
    ref = users.members(account_id)[0]["ref"]
    assert users.accounts_of(ref) == [account_id]
    assert run("accounts", "delete", account_id, "--yes", "--wait", "0")[0] == 0
    assert shared(usage_plans) == RIGHT
    assert users.accounts_of(ref) == []
    assert PLANS["free"].per_minute == 10
