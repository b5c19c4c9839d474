"""The published client 0.9, unmodified, against the local server: instances, engine, personas. Both of its forms."""

import asyncio
from importlib.metadata import version

import httpx
import pytest
from identity_os_sdk import AsyncIdentityOS, IdentityOS
from identity_os_sdk.exceptions import AuthenticationError, NotFoundError, ValidationError
from identity_os_sdk.models import Mode, StressLevel


async def story(client, call):
    one = await call(client.instances.create, name="Aria", description="old", initial_config={"mode_strengths": {"order": 0.4}})
    assert (one.name, one.created_at) == ("Aria", one.updated_at)
    assert (await call(client.instances.get, one.id)).description == "old"
    assert (await call(client.instances.update, one.id, name="Bo")).name == "Bo"
    listed = await call(client.instances.list, limit=100)
    assert listed.limit == 100
    assert one.id in [each.id for each in listed.items]

    done = await call(client.engine.process, one.id, Mode.EXPLORATION.value, 0.8, context={"tool": "grep"})
    assert done.snapshot.instance_id == done.contract.instance_id == one.id
    assert done.snapshot.cycle_count == 1
    assert done.snapshot.mode_strengths["exploration"] > 0
    assert done.drift is None
    assert done.contract.current_stress_level is StressLevel.LOW
    assert done.contract.dominant_modes == [Mode.ORDER]
    calm = [{"mode_target": ("order", "perception")[i % 2], "signal_strength": 0.5} for i in range(60)]
    loud = [{"mode_target": ("exploration", "assertion", "connection")[i % 3], "signal_strength": 0.95} for i in range(40)]
    for _ in range(2):  # past the agent's youth
        assert len(await call(client.engine.batch_process, one.id, calm)) == 1
    states = await call(client.engine.batch_process, one.id, loud, include_intermediate=True)
    assert [state.snapshot.cycle_count for state in states] == list(range(122, 162))
    assert "D3_corrupt" in [state.drift.level for state in states]
    assert (await call(client.engine.snapshot, one.id)).cycle_count == 161
    assert await call(client.engine.contract, one.id) == states[-1].contract
    history = await call(client.engine.history, one.id, limit=2)
    assert (history.instance_id, history.total, len(history.items)) == (one.id, 161, 2)
    assert (history.items[0].mode_target, history.items[0].cycle_number) == (Mode.EXPLORATION, 161)
    drift = await call(client.engine.drift, one.id)
    assert drift.total > 0
    corrupt = await call(client.engine.drift, one.id, type_filter="D3_corrupt")
    assert 0 < corrupt.total < drift.total
    assert {event.level for event in corrupt.items} == {"D3_corrupt"}
    again = await call(client.engine.reset, one.id, "initial")
    assert (again.instance_id, again.stress_level) == (one.id, StressLevel.LOW)

    personas = await call(client.personas.list)
    assert (personas.total, len(personas.personas)) == (12, 12)
    assert (await call(client.personas.get, personas.personas[0].id)).expressions
    assert client.rate_limit.limit > 0

    with pytest.raises(ValidationError) as raised:
        await call(client.engine.process, one.id, "nonsense")
    assert raised.value.code == "invalid_request"
    assert "mode_target" in raised.value.message
    assert await call(client.instances.delete, one.id) is None
    with pytest.raises(NotFoundError):
        await call(client.instances.get, one.id)


def test_it_is_the_published_one():
    assert version("identity-os-sdk") == "0.9.0"


def test_asynchronous(server):
    url, keys = server

    async def awaited(method, *arguments, **named):
        return await method(*arguments, **named)

    async def run():
        async with AsyncIdentityOS(keys["enterprise"], url) as client:
            await story(client, awaited)

    asyncio.run(run())


def test_synchronous(server):
    url, keys = server

    async def blocking(method, *arguments, **named):
        return await asyncio.to_thread(method, *arguments, **named)

    asyncio.run(story(IdentityOS(keys["enterprise"], url), blocking))


def test_the_version_header_selects_it_too(server):
    url, keys = server
    headers = {"Authorization": f"Bearer {keys['pro']}", "Identity-OS-Version": "0.9"}
    assert "items" in httpx.get(f"{url}/v1/instances", headers=headers).json()
    refused = httpx.post(f"{url}/v1/instances", headers=headers, content=b"[]")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    batch = f"{url}/v1/instances/inst_0/process/batch?include_intermediate=true"
    assert httpx.post(batch, headers=headers, content=b"{").json()["code"] == "invalid_request"
    assert "items" not in httpx.get(f"{url}/v1/instances", headers=headers | {"Identity-OS-Version": "1.0"}).json()


def test_a_wrong_key(server):
    with pytest.raises(AuthenticationError):
        IdentityOS("idos_sk_wrong", server[0]).instances.list()
