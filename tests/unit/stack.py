"""A deployed stack for tests of the command line: moto's CloudFormation and API Gateway, and a process that can be killed."""

import json
from functools import cache

import botocore.session
import pytest
from botocore.client import BaseClient

from cli import gateway as cli_gateway
from identity_service.clock import now
from identity_service.engines import birth
from identity_service.plans import PLANS
from identity_service.settings import settings
from identity_service.store import accounts, instances
from identity_service.store import dynamodb as store_client
from identity_service.store.audit_trail import Actor

STACK = "identity-os-test"


class Killed(BaseException):
    """Simulates a killed process: a BaseException that no handler catches."""


@cache
def _session():
    """One for all tests: a session reads the definitions of its services, which takes longer than the calls."""
    return botocore.session.get_session()


def aws(service):
    return _session().create_client(service, region_name="us-east-1")


def stored_instance(account_id, name):
    """The head of a new instance, stored without a request."""
    new = instances.new(account_id, name, "", birth(), now(), Actor("test"))
    instances.create(new, None)
    return new.head


@pytest.fixture
def usage_plans(table, monkeypatch):
    """The usage plans of a deployed stack, and an unrelated one. Tests of shared keys ask for some; others have none."""
    monkeypatch.setattr(cli_gateway, "SHARED_KEYS", 0)
    gateway = aws("apigateway")
    plans = {plan: gateway.create_usage_plan(name=f"{STACK}-{plan}")["id"] for plan in PLANS}
    gateway.create_usage_plan(name="somebody else's")
    outputs = {f"UsagePlan{plan.capitalize()}": {"Value": usage_plan} for plan, usage_plan in plans.items()}
    plans["free-pool"] = gateway.create_usage_plan(name=f"{STACK}-free-pool")["id"]
    outputs["UsagePlanFreePool"] = {"Value": plans["free-pool"]}
    outputs["TableName"] = {"Value": "identity-os"}
    topic = {"Topic": {"Type": "AWS::SNS::Topic"}}
    aws("cloudformation").create_stack(StackName=STACK, TemplateBody=json.dumps({"Resources": topic, "Outputs": outputs}))
    monkeypatch.setenv("IDENTITY_OS_STACK", STACK)
    yield plans
    settings.cache_clear()


def state(usage_plans):
    """Every gateway key: account, whether its value is right, enabled, and its plans."""
    gateway = aws("apigateway")
    on = {
        plan: {key["id"] for key in gateway.get_usage_plan_keys(usagePlanId=id_)["items"]} for plan, id_ in usage_plans.items()
    }
    rows = []
    for key in gateway.get_api_keys(includeValues=True)["items"]:
        account = key["name"].removeprefix(f"{STACK}-")
        right = key["value"] == accounts.gateway_key(account)
        rows.append((account, right, key["enabled"], [plan for plan, keys in on.items() if key["id"] in keys]))
    return sorted(rows)


@pytest.fixture
def killed_at(table, monkeypatch):
    """Raises Killed before or after the given AWS call, counted from now; None disables it."""
    plan = {"at": None, "after": False, "calls": 0}

    def counted(call):
        def call_or_die(*arguments, **options):
            plan["calls"] += 1
            now = plan["calls"] == plan["at"]
            if now and not plan["after"]:
                raise Killed
            answer = call(*arguments, **options)
            if now:
                raise Killed
            return answer

        return call_or_die

    # The embedded table has wrapped the method of the store's client, which therefore is no longer that of its class.
    for owner in (BaseClient, store_client.client()):
        monkeypatch.setattr(owner, "_make_api_call", counted(owner._make_api_call))
    return lambda at, after=False: plan.update(at=at, after=after, calls=0)
