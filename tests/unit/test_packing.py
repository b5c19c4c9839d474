"""Packed attributes: every text comes back, dictionaries never change, what was written plain is read."""

from base64 import b85encode
from hashlib import sha256
from zlib import compress, error

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity_service.store import dynamodb, instances, packing

#: What was packed with a dictionary must be read for ever, so its bytes stand here: a better one gets the next number.
DICTIONARIES = {
    "1.txt": "9ee8c15b709d102b6b9be5fb15a3b9ac23037173f42f050107d86619697869ae",
    "2.txt": "5e6aa79aeddd6a14d9388e7029794217dcfdd298af8f95d089257f4f20ec0e83",
    "3.txt": "0dc250aa1aba4b66c3014c9b1fcabe9a9d4158232c9a4c7f10b977e3d2322051",
}


def test_no_dictionary_ever_changes():
    files = {path.name: sha256(path.read_bytes()).hexdigest() for path in packing._FOLDER.iterdir()}
    assert files == DICTIONARIES


@given(st.text(), st.sampled_from([packing.STATE, packing.RESPONSE, packing.RECORD]))
def test_every_text_comes_back(text, dictionary):
    packed = packing.pack(text, dictionary)
    assert packed[0] == dictionary
    assert packing.unpack(packed) == text


def test_a_text_of_another_dictionary_or_damaged_is_no_text():
    packed = packing.pack('{"cycle":1}' * 20, packing.STATE)
    for damaged in (bytes((packing.RECORD,)) + packed[1:], packed[:-1] + bytes((packed[-1] ^ 1,))):
        with pytest.raises(error):
            packing.unpack(damaged)


def test_what_an_older_deployment_wrote_plain_is_read_and_gone_on_with(pro):
    """Head, record, snapshot and stored response as strings, as they were before there were dictionaries."""
    instance_id = pro.new_instance()
    observation = {"mode_target": "ORDER", "signal_strength": 0.5, "context": {"tool": "grep"}}
    path = f"/instances/{instance_id}/process"
    first = pro.post(path, json=observation, headers={"Idempotency-Key": "k"})
    partition = instances.partition(pro.account_id, instance_id)
    for item in dynamodb.query("PK = :pk", {":pk": partition}):
        plain = {name: packing.unpack(value) for name, value in item.items() if isinstance(value, bytes)}
        if "answer" in plain:
            plain["answer"] = b85encode(compress(plain["answer"].encode(), 1)).decode()
        dynamodb.write(dynamodb.put(item | plain))
    stored = [value for item in dynamodb.query("PK = :pk", {":pk": partition}) for value in item.values()]
    assert not any(isinstance(value, bytes) for value in stored)
    again = pro.post(path, json=observation, headers={"Idempotency-Key": "k"})
    assert (again.content, again.headers["Idempotent-Replayed"]) == (first.content, "true")
    assert pro.post(path, json=observation).status_code == 200
    assert pro.get(f"/instances/{instance_id}/audit/verify").json()["data"]["verified"] is True
    assert [row["seq"] for row in pro.get(f"/instances/{instance_id}/history").json()["data"]] == [2, 1]
