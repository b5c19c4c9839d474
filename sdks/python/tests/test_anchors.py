"""What the SDK keeps for an auditor, and what it says of a key's scope."""

import asyncio
import json

import httpx
import pytest
from identity_os_sdk import IdentityOS, IdentityOSAsync
from identity_os_sdk.errors import ConfigurationError, PermissionDeniedError

RESET = {"data": {"id": "inst_1", "reset_to": "initial", "cycle": 0, "energy_level": 0.8, "stress_state": "LOW"}}
INSTANCE = {"data": {"id": "inst_2", "name": "A", "description": "", "created_at": "x", "updated_at": "x"}}
PERSONAS = {"data": [], "pagination": {"limit": 12, "offset": 0, "total": 0, "has_more": False}}
SCOPE = {"error": "insufficient_scope", "message": "no", "details": {"scope": "agent", "needs": "operator"}}
PATHS = {
    "/v1/instances/inst_1/reset": (200, RESET, "a" * 64),
    "/v1/instances": (201, INSTANCE, "b" * 64),
    "/v1/personas": (200, PERSONAS, None),
    "/v1/instances/inst_3": (403, SCOPE, None),
}


def answer(request):
    status, body, digest = PATHS[request.url.path]
    headers = {"X-Key-Scope": "agent", "X-Request-Id": "r1"} | ({"X-Audit-Digest": digest} if digest else {})
    return httpx.Response(status, json=body, headers=headers)


def client(log=None):
    return IdentityOS("k", "http://x", audit_log=log, http_client=httpx.Client(transport=httpx.MockTransport(answer)))


def kept(log):
    return [(row["instance_id"], row["digest"], row["request_id"]) for row in map(json.loads, log.read_text().splitlines())]


def test_each_digest_is_kept_once_with_its_instance(tmp_path):
    log = tmp_path / "anchors.jsonl"
    one = client(log)
    one.engine.reset("inst_1", "initial", note="after the review")
    one.instances.create("A")
    one.personas.list()
    assert kept(log) == [("inst_1", "a" * 64, "r1"), ("inst_2", "b" * 64, "r1")]
    assert log.stat().st_mode & 0o777 == 0o600
    client(log).engine.reset("inst_1", "initial")
    assert len(kept(log)) == 3, "a file is gone on with"

    async def awaited():
        http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
        await IdentityOSAsync("k", "http://x", audit_log=log, http_client=http).engine.reset("inst_1", "initial")

    asyncio.run(awaited())
    assert len(kept(log)) == 4


def test_a_file_that_cannot_be_written_is_said_at_once(tmp_path):
    with pytest.raises(ConfigurationError, match=r"audit_log .*: No such file"):
        client(tmp_path / "none" / "log")


def test_a_digest_that_could_not_be_kept_loses_no_answer(tmp_path, caplog):
    log = tmp_path / "log"
    one = client(log)
    log.unlink()
    log.mkdir()
    assert one.engine.reset("inst_1", "initial").reset_to == "initial"
    assert "a" * 64 in caplog.text


def test_a_refusal_names_scope_and_needs():
    one = client()
    assert one.engine.key_scope is None
    with pytest.raises(PermissionDeniedError) as refused:
        one.instances.get("inst_3")
    assert (refused.value.scope, refused.value.needs) == ("agent", "operator")
    assert one.engine.key_scope == "agent"
