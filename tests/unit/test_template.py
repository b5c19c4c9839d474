"""template.yaml: roles match the functions' calls, usage plans match the plans, errors have one format."""

import json
import re
from fnmatch import fnmatchcase
from unittest.mock import patch
from uuid import uuid4

import pytest

from identity_service.clock import now
from identity_service.engines import birth
from identity_service.plans import PLANS
from identity_service.store import dynamodb as store_client
from identity_service.store import instances, one_time, sessions, webhooks
from identity_service.store.audit_trail import Actor
from identity_service.webhooks import hooks
from local import stream, template
from tests.conftest import EVENTS, Caller
from tests.console.person import BASE, Person, prepare_console
from tests.events.world import Receiver, world

#: All gateway response types (API Gateway developer guide, "Gateway response types").
GATEWAY_TYPES = {
    "ACCESS_DENIED",
    "API_CONFIGURATION_ERROR",
    "AUTHORIZER_CONFIGURATION_ERROR",
    "AUTHORIZER_FAILURE",
    "BAD_REQUEST_PARAMETERS",
    "BAD_REQUEST_BODY",
    "DEFAULT_4XX",
    "DEFAULT_5XX",
    "EXPIRED_TOKEN",
    "INTEGRATION_FAILURE",
    "INTEGRATION_TIMEOUT",
    "INVALID_API_KEY",
    "INVALID_SIGNATURE",
    "MISSING_AUTHENTICATION_TOKEN",
    "QUOTA_EXCEEDED",
    "REQUEST_TOO_LARGE",
    "RESOURCE_NOT_FOUND",
    "THROTTLED",
    "UNAUTHORIZED",
    "UNSUPPORTED_MEDIA_TYPE",
    "WAF_FILTERED",
}
RESOURCES = template.load()["Resources"]
API = RESOURCES["Api"]["Properties"]


def of_type(kind):
    return {name: resource for name, resource in RESOURCES.items() if resource["Type"] == kind}


def statements(function):
    """(action, resource, allowed key patterns, excluded key patterns) of a function's role."""
    for policy in function["Properties"].get("Policies", []):
        for statement in policy["Statement"]:
            condition = statement.get("Condition", {})
            like = condition.get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys", [])
            unlike = condition.get("ForAllValues:StringNotLike", {}).get("dynamodb:LeadingKeys", [])
            where = "index" if "index" in str(statement["Resource"]) else "table"
            for action in statement["Action"]:
                if action.startswith("dynamodb:"):
                    yield action.removeprefix("dynamodb:"), where, like, unlike


def permissions(operation, arguments):
    """(action, resource, leading key) of each permission that a DynamoDB call needs."""
    if operation == "transact_write_items":
        for item in arguments["TransactItems"]:
            ((kind, inner),) = item.items()
            yield f"{kind}Item", "table", (inner.get("Item") or inner["Key"])["PK"]["S"]
    elif operation in ("batch_get_item", "batch_write_item"):
        action = {"batch_get_item": "BatchGetItem", "batch_write_item": "BatchWriteItem"}[operation]
        ((_, requests),) = arguments["RequestItems"].items()
        keys = requests["Keys"] if action == "BatchGetItem" else [r["DeleteRequest"]["Key"] for r in requests]
        for key in keys:
            yield action, "table", key["PK"]["S"]
    elif operation == "query":
        values = arguments["ExpressionAttributeValues"]
        where = "index" if "IndexName" in arguments else "table"
        yield "Query", where, values[":account" if where == "index" else ":pk"]["S"]
    else:
        action = {"get_item": "GetItem", "put_item": "PutItem", "update_item": "UpdateItem", "delete_item": "DeleteItem"}[
            operation
        ]
        yield action, "table", (arguments.get("Item") or arguments["Key"])["PK"]["S"]


@pytest.fixture
def needed_by_function(edge, monkeypatch, tmp_path):
    """The permissions that each function needed while every endpoint was called, errors included."""
    needed_by_function = {}
    running = []
    call = store_client._call

    def recorded(operation, **arguments):
        if running:
            needed_by_function.setdefault(running[-1], set()).update(permissions(operation, arguments))
        return call(operation, **arguments)

    def named(name, app):
        async def run(*arguments):
            running.append(name)
            try:
                await app(*arguments)
            finally:
                running.pop()

        return run

    def authorizing(event, context, authorize=edge._authorize):
        running.append("authorizer")
        try:
            return authorize(event, context)
        finally:
            running.pop()

    edge._apps = {name: named(name, app) for name, app in edge._apps.items()}
    edge._authorize = authorizing
    callers = [Caller(edge, "indie"), Caller(edge, "enterprise")]
    prepare_console(monkeypatch)
    monkeypatch.setattr(store_client, "_call", recorded)
    monkeypatch.setattr(
        stream, "handler", lambda *_: {"batchItemFailures": []}
    )  # the background purge must not run before this test
    for caller in callers:
        call_everything(caller)
        caller.client.event_hooks = {"request": [name_it]}
        call_everything(caller)
        partition = instances.partition(caller.account_id, deleted(caller))
        running.append("purge")
        key = {"PK": {"S": partition}, "SK": {"S": "HEAD"}}
        from functions.purge.app import handler

        handler({"Records": [{"eventName": "REMOVE", "dynamodb": {"Keys": key, "SequenceNumber": "1"}}]}, stream._Context(80))
        running.pop()
    for headers in ([], [name_it]):  # of the plan that has room for so many requests in a minute
        callers[1].client.event_hooks = {"request": headers}
        call_webhooks(callers[1])
    running.append("console")
    use_the_console(edge)
    running.pop()
    tell_of_everything(callers[0], running, tmp_path)
    return needed_by_function


def tell_of_everything(caller, running, folder):
    """A webhook that takes events, one that fails and is switched off, and one that works again."""
    receiver = Receiver()
    receiver.plan.extend([500, 204, 500, 500])
    with world(folder) as here, patch.object(webhooks, "PATIENCE", 0):
        hook = hooks.create(caller.account_id, receiver.url, ["agent.created"]).hook
        for _ in range(2):
            caller.new_instance()
            for function, seconds in (("fanout", 0), ("deliver", 0), ("deliver", 10)):
                here.time += seconds
                running.append(function)
                (here.tell if function == "fanout" else here.deliver)()
                running.pop()
            hooks.update(caller.account_id, hook["id"], {"enabled": True})
    receiver.close()


def name_it(request):
    request.headers["Idempotency-Key"] = str(uuid4())


def call_everything(caller):
    one, observation = caller.new_instance(), {"mode_target": "ORDER", "signal_strength": 0.5}
    at = f"/instances/{one}"
    for path in ("/instances", "/instances?sort=name", at, f"{at}/snapshot", f"{at}/contract?explain=true"):
        assert caller.get(path).status_code == 200, path
    assert caller.process(one).status_code == 200
    assert caller.process(one, "NONSENSE").status_code == 400
    assert caller.process("inst_0000000000000000").status_code == 404
    assert caller.post(f"{at}/process/batch", json={"observations": [observation] * 3}).status_code == 200
    assert caller.post(f"{at}/simulate", json=observation).status_code == 200
    assert caller.post(f"{at}/goals/assess", json={"complexity": "high"}).status_code == 200
    assert caller.post(f"{at}/fork", json={"at_cycle": 0, "name": "Other"}).status_code == 201
    assert caller.post(f"{at}/upgrade", json={"engine_version": "1.0.0", "preview": False}).status_code == 200
    assert caller.post(f"{at}/upgrade", json={}).status_code == 200
    for path in (
        f"{at}/history",
        f"{at}/timeline?before=3",
        f"{at}/drift?level=D1",
        f"{at}/audit?offset=1",
        f"{at}/audit/verify",
        "/test/questions",
        "/personas",
        "/personas/nobody",
        "/health",
    ):
        assert caller.get(path).status_code in (200, 404), path
    assert caller.post(f"{at}/reset", json={"mode": "initial"}).status_code == 200
    assert caller.patch(at, json={"name": "Other"}).status_code == 200
    submitted = json.loads(json.loads((EVENTS / "testing_submit.json").read_text())["body"])
    answers = {name: submitted[name] for name in ("version", "responses")}
    for how in ({"create_instance": True, "instance_name": "Tested"}, {"instance_id": one}):
        response = caller.post("/test/submit", json=answers | how)
        assert response.status_code == 200, response.text


def call_webhooks(caller):
    made = caller.post("/webhooks", json={"url": "https://hooks.example.com/"}).json()["data"]["id"]
    hook = f"/webhooks/{made}"
    assert caller.patch(hook, json={"enabled": True}).status_code == 200
    assert [caller.get(path).status_code for path in ("/webhooks", hook, f"{hook}/deliveries")] == [200] * 3
    assert [caller.post(f"{hook}/{what}").status_code for what in ("test", "rotate")] == [200] * 2
    assert caller.delete(hook).status_code == 200


def use_the_console(edge):
    """Everything that people do in the console: sign up, see agents, make and revoke keys, invite, change roles, log out."""
    one_time.keep_login("state", "value", 60)
    assert one_time.take_login("state") == "value"
    owner, guest = Person(edge, "owner@acme.example"), Person(edge, "guest@acme.example")
    sessions.renew(owner.session)
    for path in ("/welcome", "/settings/keys", "/settings/usage", "/settings/people", "/accounts", "/welcome/light"):
        assert owner.get(path).status_code == 200, path
    watch_agents(edge)
    made = owner.post("/settings/keys", name="ci", scope="agent")
    key = re.search(r"key_[0-9a-f]{16}", owner.get("/settings/keys").text)[0]
    assert made.status_code == 200
    assert owner.post("/settings/keys", name="ci", scope="agent", bound_to="inst_0").status_code == 400
    assert owner.post(f"/settings/keys/{key}/revoke").status_code == 303
    invited = owner.post("/settings/people/invitations", email="guest@acme.example", role="viewer")
    token = re.search(r"/invitations/([\w-]{43})", invited.text)[1]
    assert guest.get(f"/invitations/{token}").status_code == 200
    assert guest.post(f"/invitations/{token}").status_code == 303
    assert owner.post(f"/settings/people/{guest.user.ref}/role", role="owner").status_code == 303
    assert owner.post(f"/settings/people/{guest.user.ref}/remove").status_code == 303
    hook = re.search(r"hook_[0-9a-f]{16}", owner.post("/settings/webhooks", url="https://hooks.example.com/").text)[0]
    for what in ("test", "rotate", "delete"):
        assert owner.post(f"/settings/webhooks/{hook}/{what}").status_code in (200, 303)
    owner.post("/settings/people/invitations", email="else@acme.example", role="viewer")
    invitation = re.search(r"invite_[0-9a-f]{16}", owner.get("/settings/people").text)[0]
    assert owner.post(f"/settings/people/invitations/{invitation}/withdraw").status_code == 303
    look_after_an_agent(Person(edge, "operator@acme.example"))
    sessions.end(owner.session.id)


def watch_agents(edge):
    """The pages of agents that report."""
    reporting = Caller(edge, "indie")
    one = reporting.new_instance()
    assert reporting.process(one).status_code == 200
    watching = Person(edge, "watching@acme.example", reporting.account_id)
    at = f"/agents/{one}"
    new = watching.post("/agents", name="Aria").headers["Location"].removeprefix(BASE)
    for path in ("/agents", "/agents/new", new, at, f"{at}/timeline", f"{at}/reports/1"):
        assert watching.get(path).status_code == 200, path


def look_after_an_agent(owner):
    """What people do about one agent: look, decide, ask what if, read and export its trail."""
    new = instances.new(owner.account_id, "Aria", "", birth(), now(), Actor("test"))
    instances.create(new, 3)
    at = f"/agents/{new.head.id}"
    paths = (f"{at}/decide", f"{at}/what-if?mode=ORDER&strength=0.5&confidence=1&severity=normal&times=3", "/what-if")
    for path in (*paths, f"{at}/audit", f"{at}/audit/verify", f"{at}/audit/export"):
        assert owner.get(path).status_code == 200, path
    for version, status in (("1", 303), ("1", 303), ("7", 409)):
        assert owner.post(f"{at}/decide", to="initial", version=version, note="as agreed").status_code == status
    answers = {"test": "v1", "answers": "a" * 12}
    for path in ("/personas", "/personas/persona_analytical", "/test", f"{at}/test"):
        assert owner.get(path).status_code == 200, path
    assert owner.post(f"{at}/test", version="2", note="as agreed", **answers).status_code == 303
    for _ in range(2):
        assert owner.post("/test", name="Tested", form="one", **answers).status_code == 303
    assert owner.post("/personas/persona_analytical", name="Ada", form="two").status_code == 303
    assert owner.post("/personas/persona_analytical", name="Ada", form="three").status_code == 400


def test_the_console_reads_its_own_settings_and_no_other_secret():
    console = RESOURCES["Console"]["Properties"]
    (policy,) = console["Policies"]
    other = {
        action: statement["Resource"].get("Sub") or statement["Resource"]["GetAtt"]
        for statement in policy["Statement"]
        for action in statement["Action"]
        if not action.startswith("dynamodb:")
    }
    assert other.pop("kms:Encrypt") == "WebhookKey.Arn"
    assert set(other) == {"ssm:GetParameter", "secretsmanager:GetSecretValue"}
    assert all("identity-os/${Stage}/console/*" in resource for resource in other.values())
    variables = console["Environment"]["Variables"]
    names = {name: value for name, value in variables.items() if name.endswith(("_PARAMETER", "_SECRET"))}
    made = {RESOURCES[name]["Properties"]["Name"]["Sub"] for name in ("ConsoleBase", "ConsoleClientId")}
    made |= {RESOURCES[name]["Properties"]["Name"]["Sub"] for name in ("ConsoleClientSecret", "ConsoleSessionSecret")}
    assert {re.search(r"/?identity-os/[^'\"]*", str(value))[0] for value in names.values()} == made
    # A reference to the API, the client or their secret would be a circle: all of them follow from this function.
    assert not re.search(r"\$\{Api\}|ConsoleClient|ConsoleBase", str(variables))


def test_only_a_verified_address_logs_in_and_the_client_takes_codes_alone():
    pool, client = RESOURCES["UserPool"]["Properties"], RESOURCES["ConsoleClient"]["Properties"]
    assert pool["AutoVerifiedAttributes"] == ["email"]
    assert pool["UserAttributeUpdateSettings"] == {"AttributesRequireVerificationBeforeUpdate": ["email"]}
    assert client["AllowedOAuthFlows"] == ["code"]
    assert client["GenerateSecret"] is True
    assert RESOURCES["ConsoleBranding"]["Properties"]["ClientId"] == {"Ref": "ConsoleClient"}
    base = RESOURCES["ConsoleBase"]["Properties"]["Value"]
    assert client["LogoutURLs"] == [base]
    assert str(client["CallbackURLs"]) == str([base]).replace("/console'", "/console/callback'")


def deleted(caller):
    instance_id = caller.new_instance()
    assert caller.delete(f"/instances/{instance_id}").status_code == 200
    return instance_id


def allows(statement, need):
    (action, where, like, unlike), (wanted, at, key) = statement, need
    return (
        (action, where) == (wanted, at)
        and any(fnmatchcase(key, pattern) for pattern in like)
        and not any(fnmatchcase(key, pattern) for pattern in unlike)
    )


def test_every_role_allows_exactly_what_its_function_uses(needed_by_function):
    functions = of_type("AWS::Serverless::Function")
    assert set(needed_by_function) == {name.lower() for name in functions} - {"health"}
    for name, function in functions.items():
        needs = needed_by_function.get(name.lower(), set())
        granted = list(statements(function))
        for need in needs:
            assert any(allows(statement, need) for statement in granted), (name, need)
        for statement in granted:
            assert any(allows(statement, need) for need in needs), (name, "has and does not need", statement)


def test_no_role_has_a_wildcard_action_or_unrestricted_keys():
    for name, function in of_type("AWS::Serverless::Function").items():
        for action, _, like, _ in statements(function):
            assert "*" not in action, name
            assert like, (name, action)
            assert "*" not in like, name
    for name, role in of_type("AWS::IAM::Role").items():
        assert "Policies" not in role["Properties"], name


def test_usage_plans_match_the_plans():
    plans = {}
    for usage_plan in of_type("AWS::ApiGateway::UsagePlan").values():
        properties = usage_plan["Properties"]
        assert properties["ApiStages"] == [{"ApiId": {"Ref": "Api"}, "Stage": {"Ref": "Api.Stage"}}]
        assert "Quota" not in properties
        plans[properties["UsagePlanName"]["Sub"].rpartition("-")[2]] = properties.get("Throttle")
    expected = {
        plan.name: {"RateLimit": round(plan.per_minute / 60, 4), "BurstLimit": 2 * plan.per_minute} for plan in PLANS.values()
    }
    # Whoever shares a key with others must not be refused for what they do.
    assert plans == expected | {"enterprise": None, "pool": None}
    assert template.load()["Outputs"]["UsagePlanFreePool"]["Value"] == {"Ref": "FreePoolPlan"}
    for name in PLANS:
        assert template.load()["Outputs"][f"UsagePlan{name.capitalize()}"]["Value"] == {"Ref": f"{name.capitalize()}Plan"}


def test_every_path_takes_every_method():
    """The functions answer HEAD and 405 themselves; a path with methods of its own would not reach them."""
    for function in of_type("AWS::Serverless::Function").values():
        for event in function["Properties"].get("Events", {}).values():
            assert event["Properties"].get("Method", "ANY") == "ANY"


def test_usage_plans_apply_to_every_method_except_health_and_the_console():
    assert API["ApiKeySourceType"] == "AUTHORIZER"
    assert API["Auth"]["ApiKeyRequired"] is True
    assert API["Auth"]["DefaultAuthorizer"] in API["Auth"]["Authorizers"]
    for name, function in of_type("AWS::Serverless::Function").items():
        for event in function["Properties"].get("Events", {}).values():
            own = event["Properties"].get("Auth")
            assert own == ({"Authorizer": "NONE", "ApiKeyRequired": False} if name in ("Health", "Console") else None), name


def test_every_gateway_response_has_the_error_format():
    answers = API["GatewayResponses"]
    assert set(answers) == GATEWAY_TYPES
    for kind in answers:
        response = template.gateway_response(kind)
        assert response.headers["X-Request-Id"] is None, kind  # the request's own id
        assert {"error", "message", "details"} <= set(response.body), kind
        wait = response.body.get("retry_after")
        assert (wait is not None) == (response.status in (429, 503)), kind
        assert response.headers.get("Retry-After") == (None if wait is None else str(wait)), kind


def test_access_log_lines_are_json_and_hold_no_secret():
    text = API["AccessLogSetting"]["Format"]
    line = json.loads(text)
    assert "\n" not in text
    assert {"request_id", "account", "status", "latency_ms"} <= set(line)
    secret = re.compile(
        r"apiKey(?!Id)|header|body|authorizer\.(usageIdentifierKey|token)|requestOverride|input\.", re.IGNORECASE
    )
    assert not secret.search(text)
    for settings in API["MethodSettings"]:
        assert settings["DataTraceEnabled"] is False
        assert settings["LoggingLevel"] == "OFF"


def test_docs_are_disabled_in_deployments():
    variables = template.load()["Globals"]["Function"]["Environment"]["Variables"]
    assert variables["IDENTITY_OS_DOCS_ENABLED"] == "false"


def test_layers_are_built_for_the_functions_runtime():
    parameters = template.load()["Parameters"]
    for makefile in ("Makefile", "layers/dependencies/Makefile"):
        text = (template.ROOT / makefile).read_text()
        for parameter in ("Runtime", "Architecture"):
            assert f"{parameter.upper()} ?= {parameters[parameter]['Default']}\n" in text, makefile


def test_a_purge_takes_little_concurrency_and_reserves_none_by_default():
    purge = RESOURCES["Purge"]["Properties"]
    assert purge["Events"]["Removed"]["Properties"]["ParallelizationFactor"] == 1
    # A new AWS account has ten and lets nobody reserve any.
    loaded = template.load()
    assert loaded["Parameters"]["PurgeConcurrency"]["Default"] == 0
    assert loaded["Conditions"]["ReservesForPurge"] == {"Not": [{"Equals": [{"Ref": "PurgeConcurrency"}, 0]}]}
    none = {"Ref": "AWS::NoValue"}
    assert purge["ReservedConcurrentExecutions"] == {"If": ["ReservesForPurge", {"Ref": "PurgeConcurrency"}, none]}
    functions = of_type("AWS::Serverless::Function")
    assert [name for name in functions if "ReservedConcurrentExecutions" in functions[name]["Properties"]] == ["Purge"]


def test_a_gradual_deployment_lasts_longer_than_its_alarm_needs():
    preference = template.load()["Globals"]["Function"]["DeploymentPreference"]
    minutes = int(re.fullmatch(r"Canary10Percent(\d+)Minutes", preference["Type"])[1])
    alarm = RESOURCES[preference["Alarms"][0]["Ref"]]["Properties"]
    assert minutes * 60 > alarm["Period"] * (alarm["EvaluationPeriods"] + 1)
    # A tenth of the requests, of which each fails, is more than the alarm lets pass.
    assert alarm["Threshold"] < 0.1


def test_the_table_survives_what_it_must_and_its_stream_carries_items():
    table = RESOURCES["Table"]
    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    assert table["Properties"]["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}
    assert table["Properties"]["DeletionProtectionEnabled"] is True


def test_the_stage_is_throttled_and_health_more_so():
    throttles = {settings["ResourcePath"]: settings["ThrottlingRateLimit"] for settings in API["MethodSettings"]}
    assert throttles["/*"] == 5000
    assert throttles["/~1v1~1health"] == 20
    assert not any(settings["MetricsEnabled"] for settings in API["MethodSettings"])


def test_every_layer_is_named_after_its_stage():
    layers = of_type("AWS::Serverless::LayerVersion").values()
    assert all("${Stage}" in layer["Properties"]["LayerName"]["Sub"] for layer in layers)


def test_a_domain_has_a_record_for_each_version_of_ip():
    records = of_type("AWS::Route53::RecordSet").values()
    assert sorted(record["Properties"]["Type"] for record in records) == ["A", "AAAA"]


def test_the_example_firewall_answers_as_the_api_does():
    firewall = template.read(template.ROOT / "examples" / "firewall.yaml")
    acl = firewall["Resources"]["WebAcl"]["Properties"]
    (rule,) = acl["Rules"]
    answer = rule["Action"]["Block"]["CustomResponse"]
    body = json.loads(acl["CustomResponseBodies"][answer["CustomResponseBodyKey"]]["Content"])
    own = template.gateway_response("THROTTLED")
    assert (answer["ResponseCode"], set(body), body["error"]) == (own.status, set(own.body), own.body["error"])
    assert {header["Name"]: header["Value"] for header in answer["ResponseHeaders"]}["Retry-After"] == str(body["retry_after"])
    # Accounts may share an address, and one of the plan pro may send all that its plan allows.
    assert firewall["Parameters"]["RequestsPerMinute"]["Default"] >= 10 * PLANS["pro"].per_minute
    # The stack itself has no firewall unless it is given one.
    assert template.load()["Parameters"]["WebAclArn"]["Default"] == ""


def test_every_alarm_has_an_action_and_is_documented():
    explained = (template.ROOT / "docs" / "operations.md").read_text()
    for alarm in of_type("AWS::CloudWatch::Alarm").values():
        properties = alarm["Properties"]
        assert properties["AlarmActions"] == [{"Ref": "AlarmTopic"}]
        assert f"### {properties['AlarmName']['Sub'].removeprefix('identity-os-${Stage}-')}\n" in explained


@pytest.mark.parametrize(
    ("alarm", "without"), [("FunctionErrors", {"Authorizer"}), ("FunctionThrottles", {"Fanout", "Deliver"})]
)
def test_the_alarms_on_functions_watch_every_function(alarm, without):
    """The authorizer raises for every bad key: that is how it refuses. A throttled fan-out or delivery is tried again by its
    source, `events-behind` tells of it, and an alarm takes ten metrics at most.
    """
    metrics = [metric["MetricStat"]["Metric"] for metric in RESOURCES[alarm]["Properties"]["Metrics"] if "MetricStat" in metric]
    watched = {metric["Dimensions"][0]["Value"]["Ref"] for metric in metrics}
    assert watched == set(of_type("AWS::Serverless::Function")) - without
    assert len(metrics) <= 10


def test_dashboard_is_valid_and_refers_to_existing_resources():
    body = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Sub"]
    names = set(re.findall(r"\$\{(\w+)", body))
    assert names <= set(RESOURCES) | {"AWS", "Stage"}
    widgets = json.loads(re.sub(r"\$\{[^}]+\}", "x", body))["widgets"]
    assert len(widgets) == 11


def test_the_filter_of_the_fan_out_lets_through_what_it_handles():
    from functions.fanout import app

    (one,) = RESOURCES["Fanout"]["Properties"]["Events"]["Committed"]["Properties"]["FilterCriteria"]["Filters"]
    pattern = json.loads(one["Pattern"])
    assert pattern["eventName"] == ["INSERT"]
    assert tuple(each["prefix"] for each in pattern["dynamodb"]["Keys"]["SK"]["S"]) == app._KINDS
    assert pattern["dynamodb"]["NewImage"] == {"events": {"S": [{"exists": True}]}}
    assert RESOURCES["Table"]["Properties"]["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}


def test_the_delivery_opens_webhooks_their_secrets_and_its_queues_alone():
    (policy,) = RESOURCES["Deliver"]["Properties"]["Policies"]
    others = {s["Action"][0]: s["Resource"] for s in policy["Statement"] if not s["Action"][0].startswith("dynamodb:")}
    assert others == {
        "kms:Decrypt": {"GetAtt": "WebhookKey.Arn"},
        "sqs:ChangeMessageVisibility": {"GetAtt": "Deliveries.Arn"},
        "sqs:SendMessage": {"GetAtt": "DeadDeliveries.Arn"},
    }
    for name, function in of_type("AWS::Serverless::Function").items():
        opens = [key for _, _, like, _ in statements(function) for key in like if key.startswith("HOOKS")]
        assert not opens or name in ("Fanout", "Deliver", "Webhooks", "Console"), name


def test_the_queue_hides_a_message_for_longer_than_a_delivery_takes():
    from identity_service.webhooks import sending

    queue, deliver = RESOURCES["Deliveries"]["Properties"], RESOURCES["Deliver"]["Properties"]
    assert queue["VisibilityTimeout"] >= 6 * deliver["Timeout"]
    assert deliver["Timeout"] > 2 * sending.DEADLINE
    assert queue["MessageRetentionPeriod"] == 14 * 86_400
