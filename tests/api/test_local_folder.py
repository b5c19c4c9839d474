"""The data folder of `make run`: one server at a time, no stale lock, keys that outlive the embedded table."""

import json
import os

import httpx
import pytest

from identity_service.keys import key_hash, new_key
from identity_service.plans import PLANS
from identity_service.store import accounts, dynamodb
from local.accounts import UnreadableKeys, ready_keys
from local.dynamodb import free_port
from tests.local_process import answering, refused, start, stops


def instances(base, key):
    return httpx.get(f"{base}/v1/instances", headers={"Authorization": f"Bearer {key}"})


def test_second_server_in_the_folder_is_refused_and_a_killed_one_blocks_nobody(tmp_path):
    port = free_port(0)
    process = start(PORT=port, IDENTITY_OS_LOCAL=tmp_path)
    base, _ = answering(process, port)
    keys = json.loads((tmp_path / "keys.json").read_text())

    line = refused(start(PORT=free_port(0), IDENTITY_OS_LOCAL=tmp_path))
    assert f"the folder {tmp_path} is in use by another server, process {process.pid} on port {port}: stop it, or" in line
    assert instances(base, keys["pro"]).status_code == 200

    process.kill()
    process.communicate()
    port = free_port(0)
    process = start(PORT=port, IDENTITY_OS_LOCAL=tmp_path)
    base, screen = answering(process, port)
    assert json.loads((tmp_path / "keys.json").read_text()) == keys
    for key in keys.values():
        assert key in screen
        assert instances(base, key).json()["data"] == []
    assert stops(process) == []


def test_damaged_file_of_keys_is_refused_in_one_line(tmp_path):
    (tmp_path / "keys.json").write_text('{"pro": ')
    assert f"{tmp_path / 'keys.json'} cannot be read" in refused(start(PORT=free_port(0), IDENTITY_OS_LOCAL=tmp_path))


@pytest.mark.parametrize("damaged", ["[]", '{"pro": 1}', "no JSON"])
def test_damaged_file_of_keys_is_left_as_it_is(damaged, tmp_path, table):
    path = tmp_path / "keys.json"
    path.write_text(damaged)
    with pytest.raises(UnreadableKeys, match=r"keys.json cannot be read: repair it, or delete it to get new keys"):
        ready_keys(path)
    assert path.read_text() == damaged


def test_keys_are_kept_unless_they_are_revoked_or_malformed(tmp_path, table):
    path = tmp_path / "keys.json"
    first = ready_keys(path)
    assert ready_keys(path) == first
    pro = accounts.authenticate(first["pro"])
    accounts.revoke_key(pro.account_id, pro.key_id)
    path.write_text(json.dumps(first | {"free": first["free"] + "x"}))
    second = ready_keys(path)
    assert {plan for plan in first if first[plan] != second[plan]} == {"free", "pro"}
    assert accounts.authenticate(first["pro"]) is None
    assert [accounts.authenticate(key).plan for key in second.values()] == list(second)
    assert os.listdir(tmp_path) == ["keys.json"]
    assert path.stat().st_mode & 0o077 == 0


def test_key_that_an_empty_table_does_not_know_is_added_with_its_listing(tmp_path, table):
    path = tmp_path / "keys.json"
    key = new_key()
    path.write_text(json.dumps({"pro": key}))
    assert ready_keys(path)["pro"] == key
    principal = accounts.authenticate(key)
    assert principal.plan == "pro"
    (listed,) = accounts.list_keys(principal.account_id)
    assert (listed["id"], listed["last_four"]) == (principal.key_id, key[-4:])
    assert listed["last_used_at"] is not None
    lookups = [item["PK"] for item in dynamodb.scan(("PK", "SK")) if item["SK"] == "KEY"]
    assert len(lookups) == len(PLANS)
    accounts.revoke_key(principal.account_id, principal.key_id)
    assert accounts.authenticate(key) is None


def test_key_that_was_deleted_from_a_table_with_accounts_does_not_come_back(tmp_path, table):
    path = tmp_path / "keys.json"
    first = ready_keys(path)
    dynamodb.write(dynamodb.delete({"PK": f"KEY#{key_hash(first['pro'])}", "SK": "KEY"}))
    second = ready_keys(path)
    assert {plan for plan in first if first[plan] != second[plan]} == {"pro"}
    assert accounts.authenticate(first["pro"]) is None
    assert accounts.authenticate(second["pro"]).plan == "pro"
