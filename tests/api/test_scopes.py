"""What each key may do: every endpoint with every scope, keys that are bound to instances, and where the refusal is counted."""

import re

import httpx
import pytest

from identity_service import scopes
from identity_service.store import accounts
from local import openapi
from local.scopes import table
from local.template import ROOT
from tests.conftest import Caller, stored_webhook

OBSERVATION = {"mode_target": "ORDER", "signal_strength": 0.5}
#: A request for each operation that has a body, such that an operator's key gets a success.
BODIES = {
    "/v1/instances": {"name": "B"},
    "/v1/instances/{instance_id}": {"name": "B"},
    "/v1/instances/{instance_id}/process": OBSERVATION,
    "/v1/instances/{instance_id}/process/batch": {"observations": [OBSERVATION]},
    "/v1/instances/{instance_id}/simulate": OBSERVATION,
    "/v1/instances/{instance_id}/goals/assess": {"complexity": "low"},
    "/v1/instances/{instance_id}/reset": {"mode": "initial", "note": "after the review"},
    "/v1/instances/{instance_id}/upgrade": {"engine_version": "1.0.0", "preview": False},
    "/v1/instances/{instance_id}/fork": {"at_cycle": 0, "name": "B"},
    "/v1/test/submit": None,
    "/v1/webhooks": {"url": "https://hooks.example.com/b"},
    "/v1/webhooks/{webhook_id}": {"description": "B"},
    "/v1/webhooks/{webhook_id}/rotate": {},
    "/v1/webhooks/{webhook_id}/test": {},
    "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver": {},
}
OPERATIONS = sorted(
    (method.upper(), path)
    for path, operations in openapi.document()["paths"].items()
    for method, operation in operations.items()
    if operation["security"]
)
#: What the specification gives to an agent beyond reading: written out here, so that no change of the code goes unseen.
AGENT = {
    ("POST", "/v1/instances"),
    ("POST", "/v1/instances/{instance_id}/process"),
    ("POST", "/v1/instances/{instance_id}/process/batch"),
    ("POST", "/v1/instances/{instance_id}/simulate"),
    ("POST", "/v1/instances/{instance_id}/goals/assess"),
}


class Scoped(Caller):
    """Another key of an account, with a scope."""

    def __init__(self, owner, scope, bound_to=()):
        self.edge, self.account_id = owner.edge, owner.account_id
        self.key = accounts.create_key(owner.account_id, scope, scope, bound_to).secret
        self.client = httpx.Client(transport=owner.client._transport, base_url="http://edge", headers=self.headers)


def body_of(path, method, owner):
    if method not in ("POST", "PATCH"):
        return {}
    if path == "/v1/test/submit":
        questions = owner.get("/test/questions").json()["data"]["questions"]
        answers = [{"question_id": q["id"], "selected_option_id": f"{q['id']}_a"} for q in questions]
        return {"json": {"version": "v1", "create_instance": True, "instance_name": "T", "responses": answers}}
    return {"json": BODIES[path]}


def test_every_body_is_of_an_operation():
    assert set(BODIES) == {path for method, path in OPERATIONS if method in ("POST", "PATCH")}


@pytest.mark.parametrize("scope", ["read", "agent", "operator"])
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_endpoint_with_every_scope(pro, method, path, scope):
    instance_id = pro.new_instance()
    before = pro.get(f"/instances/{instance_id}").json()
    read = method == "GET" and not path.startswith("/v1/webhooks")
    allowed = scope == "operator" or read or (scope == "agent" and (method, path) in AGENT)
    webhook_id, delivery_id = stored_webhook(pro.account_id)
    ids = {"webhook_id": webhook_id, "delivery_id": delivery_id}
    url = path.format(instance_id=instance_id, persona_id="persona_leader", **ids)
    caller = Scoped(pro, scope)
    response = caller.request(method, url, **body_of(path, method, pro))
    assert response.headers["X-Key-Scope"] == scope
    if allowed:
        assert response.status_code in (200, 201), response.text
        return
    needs = "agent" if (method, path) in AGENT else "operator"
    assert response.status_code == 403
    error = response.json()
    assert (error["error"], error["details"]) == ("insufficient_scope", {"scope": scope, "needs": needs})
    assert pro.get(f"/instances/{instance_id}").json() == before, "a refused request changes nothing"


def test_a_refused_request_counts_against_the_minute_and_costs_no_cycle(pro):
    caller, instance_id = Scoped(pro, "read"), pro.new_instance()
    left = [caller.post(f"/v1/instances/{instance_id}/process", json=OBSERVATION).headers for _ in range(2)]
    assert int(left[0]["X-RateLimit-Remaining"]) - int(left[1]["X-RateLimit-Remaining"]) == 1
    assert left[0]["X-Monthly-Remaining"] == left[1]["X-Monthly-Remaining"] == "500000"


def test_a_bad_body_of_a_key_that_may_not_is_403_not_400(pro):
    assert Scoped(pro, "read").post("/v1/instances", content=b"{").status_code == 403


def test_a_head_request_of_a_read_key_is_a_read(pro):
    assert Scoped(pro, "read").request("HEAD", "/v1/instances").status_code == 200


def test_an_unknown_scope_may_do_nothing(pro):
    assert Scoped(pro, "admin").get("/v1/personas").status_code == 403
    assert not scopes.allows("", "read")


def test_a_bound_key_sees_its_instances_alone_and_creates_none(pro):
    mine, other = pro.new_instance("Mine"), pro.new_instance("Other")
    bound = Scoped(pro, "agent", (mine,))
    assert bound.post(f"/v1/instances/{mine}/process", json=OBSERVATION).status_code == 200
    unknown = bound.get("/v1/instances/inst_0000000000000000")
    for method, path, more in (
        ("GET", "", {}),
        ("GET", "/contract", {}),
        ("GET", "/audit", {}),
        ("POST", "/process", {"json": OBSERVATION}),
        ("POST", "/simulate", {"json": OBSERVATION}),
    ):
        foreign = bound.request(method, f"/v1/instances/{other}{path}", **more)
        assert (foreign.status_code, foreign.content) == (404, unknown.content)
    created = bound.post("/v1/instances", json={"name": "New"})
    assert (created.status_code, created.json()["error"]) == (403, "insufficient_scope")
    assert "bound" in created.json()["message"]
    listed = bound.get("/v1/instances").json()
    assert ([row["id"] for row in listed["data"]], listed["pagination"]["total"]) == ([mine], 1)
    assert bound.get("/v1/instances", params={"name": "Other"}).json()["data"] == []
    assert [row["name"] for row in bound.get("/v1/instances", params={"name": "Mine"}).json()["data"]] == ["Mine"]
    assert bound.post(f"/v1/instances/{mine}/reset", json={"mode": "initial"}).status_code == 403


def test_a_bound_key_pages_its_instances_and_forgets_deleted_ones(pro):
    ids = sorted(pro.new_instance(f"A{number}") for number in range(5))
    bound = Scoped(pro, "read", ids)
    pages = [bound.get("/v1/instances", params={"limit": 2, "offset": o, "order": "asc"}).json() for o in (0, 2, 4)]
    assert [row["id"] for page in pages for row in page["data"]] == ids
    assert [page["pagination"]["has_more"] for page in pages] == [True, True, False]
    pro.delete(f"/instances/{ids[0]}")
    assert bound.get("/v1/instances").json()["pagination"]["total"] == 4


def test_keys_from_before_scopes_are_operators(pro, monkeypatch):
    monkeypatch.setattr(accounts, "OPERATOR", None)  # None is not stored
    old = accounts.create_key(pro.account_id, "old", None).secret
    monkeypatch.undo()
    answer = pro.get("/personas", headers={"Authorization": f"Bearer {old}"})
    assert answer.headers["X-Key-Scope"] == "operator"
    assert [key["scope"] for key in accounts.list_keys(pro.account_id)] == ["operator", "operator"]


def test_the_documents_say_what_each_endpoint_needs():
    page = (ROOT / "docs" / "api.md").read_text()
    assert f"<!-- scopes -->\n{table()}\n<!-- /scopes -->" in page
    for path, operations in openapi.document()["paths"].items():
        for method, operation in operations.items():
            if operation["security"]:
                needs = scopes.needed(method.upper(), path)
                assert operation["security"] == [{"ApiKey": [needs]}]
                assert ("403" in operation["responses"]) == (needs != "read"), (method, path)


def test_every_answer_allows_pages_of_any_origin(pro):
    process = f"/instances/{pro.new_instance()}/process"
    once = {"json": OBSERVATION, "headers": {"Idempotency-Key": "once"}}
    for response in (
        pro.get("/personas"),
        pro.post(process, **once),
        pro.post(process, **once),
        pro.get("/instances/inst_0"),
        pro.get("/nothing"),
        pro.get("/personas", headers={"Authorization": ""}),
        pro.post("/instances", json={}),
        pro.get("/health"),
        pro.post("/instances", content=b"x" * (11 * 1024 * 1024)),
    ):
        assert response.headers.get_list("Access-Control-Allow-Origin") == ["*"], response.text
        exposed = {name.lower() for name in re.split(", *", response.headers["Access-Control-Expose-Headers"])}
        ours = {name for name in response.headers if name.startswith("x-") or name in ("retry-after", "idempotent-replayed")}
        assert ours <= exposed, response.url


def test_a_preflight_needs_no_key_and_is_not_counted(pro):
    asked = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST", "Authorization": ""}
    for _ in range(3):
        answer = pro.request("OPTIONS", "/instances/inst_1/process", headers=asked)
        assert (answer.status_code, answer.json()) == (200, {})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert set(re.split(", *", answer.headers["Access-Control-Allow-Headers"].lower())) >= {
        "authorization", "content-type", "idempotency-key",
    }  # fmt: skip
    assert set(re.split(", *", answer.headers["Access-Control-Allow-Methods"])) >= {"GET", "POST", "PATCH", "DELETE", "HEAD"}
    assert int(answer.headers["Access-Control-Max-Age"]) > 0
    assert pro.get("/personas").headers["X-RateLimit-Remaining"] == "299"
