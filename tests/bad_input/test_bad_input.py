"""Bad input of every kind; `make reliability` runs more, including schemathesis."""

import pytest

from tests.bad_input.fuzz import fuzz
from tests.conftest import Caller


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4))
def test_fuzzed_requests_get_valid_responses(edge, seed):
    figures = fuzz(Caller(edge, "enterprise"), edge, 400, seed)
    assert figures["inputs"] == 400
    assert figures["answered 400"] > 100
    assert figures["accepted and processed"] > 5


@pytest.mark.parametrize(
    ("value", "field", "reason"),
    [("1e999", "context", "out_of_range"), ("NaN", "body", "malformed_json"), ("1" * 5000, "body", "malformed_json")],
)
def test_a_number_that_json_cannot_represent(pro, value, field, reason):
    one = pro.new_instance()
    body = '{"mode_target": "ORDER", "signal_strength": 0.5, "context": {"deep": [' + value + "]}}"
    response = pro.post(f"/instances/{one}/process", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert response.json()["details"] == {"field": field, "reason": reason}
    assert pro.get(f"/instances/{one}/history").json()["pagination"]["total"] == 0


@pytest.mark.parametrize("body", ["[" * 100_000, "[]", "null", "", "NaN", '{"observations": [1]}', '"\\ud800"'])
def test_invalid_batch_of_client_0_9_gets_its_error_format(pro, body):
    path = f"/instances/{pro.new_instance()}/process/batch?include_intermediate=true"
    response = pro.post(path, content=body, headers={"Identity-OS-Version": "0.9", "Content-Type": "application/json"})
    assert response.status_code == 422
    assert response.json()["code"] == "invalid_request"


@pytest.mark.parametrize(("extra", "status"), [(0, 200), (1, 400)])
def test_context_size_limit_in_bytes(pro, extra, status):
    one = pro.new_instance()
    # {"é":"..."} has 9 bytes besides the text.
    context = {"é": "x" * (8_192 - 9 + extra)}
    response = pro.process(one, context=context)
    assert response.status_code == status
    total = pro.get(f"/instances/{one}/history").json()["pagination"]["total"]
    assert total == (1 if status == 200 else 0)
    if status == 400:
        assert response.json()["details"] == {"field": "context", "reason": "too_long"}
