"""Runs sdks/cases.json, which every SDK must pass: a server's responses, the expected requests and the expected result."""

import asyncio
import json
from pathlib import Path

import identity_os_sdk
import pytest
from identity_os_sdk import IdentityOS, IdentityOSAsync, Mode

CASES = json.loads((Path(__file__).resolve().parents[2] / "cases.json").read_text())
ANSWERS = json.loads((Path(__file__).resolve().parents[2] / "answers.json").read_text())


def scripted_answer(entry):
    if isinstance(entry, str):
        return entry
    if "ok" in entry:
        answer = {"data": ANSWERS[entry["ok"]] | entry.get("more", {})}
        return 200, {"X-Request-Id": "r-1", "X-RateLimit-Limit": "300"}, json.dumps(answer).encode()
    if "text" in entry:
        return entry["status"], {}, entry["text"].encode()
    body = {"message": "m", "details": {}} | {name: value for name, value in entry.items() if name != "status"}
    headers = {"Retry-After": str(entry["retry_after"])} if "retry_after" in entry else {}
    return entry["status"], headers, json.dumps(body).encode()


def calls(client):
    return {
        "process": lambda: client.engine.process("inst_1", Mode.ORDER, 0.5),
        "create": lambda: client.instances.create(name="Aria"),
        "get": lambda: client.instances.get("inst_1"),
        "delete": lambda: client.instances.delete("inst_1"),
        "submit": lambda: client.test.submit("v1", {"q1": "q1_a"}, instance_id="inst_1"),
    }


def sync(url, name):
    with IdentityOS("idos_sk_x", url, timeout=0.7, max_retries=2) as client:
        return calls(client)[name](), client.last_response


def awaited(url, name):
    async def run():
        async with IdentityOSAsync("idos_sk_x", url, timeout=0.7, max_retries=2) as client:
            return await calls(client)[name](), client.last_response

    return asyncio.run(run())


@pytest.mark.parametrize("play", [sync, awaited], ids=["sync", "async"])
@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_case(scripted, case, play):
    scripted.script = [scripted_answer(entry) for entry in case["answers"]]
    if "raises" in case:
        with pytest.raises(getattr(identity_os_sdk, case["raises"])) as raised:
            play(scripted.url, case["call"])
        assert type(raised.value).__name__ == case["raises"]
        assert "idos_sk_x" not in str(raised.value)
    else:
        result, last = play(scripted.url, case["call"])
        assert last.retries == case["sent"] - 1
        for name, value in case["answers"][-1].get("more", {}).items() if "ok" in case["answers"][-1] else ():
            assert getattr(result, name) == value
    assert len(scripted.seen) == case["sent"]
    times, methods, headers, bodies = zip(*scripted.seen, strict=True)
    assert len(set(methods)) == len(set(bodies)) == 1
    keys = {each.get("Idempotency-Key") for each in headers}
    assert len(keys) == 1
    assert (keys == {None}) is (methods[0] != "POST")
    assert times[-1] - times[0] >= case.get("waited", 0)
