"""Bad input of every kind; `make prove` tries more, schemathesis among it."""

import pytest

from tests.conftest import Caller
from tests.hostile.fuzz import fuzz


@pytest.mark.parametrize("seed", range(4))
def test_whatever_comes_the_answer_has_the_apis_shape(edge, seed):
    figures = fuzz(Caller(edge, "enterprise"), edge, 400, seed)
    assert figures["inputs"] == 400
    assert figures["answered 400"] > 100
    assert figures["accepted and processed"] > 5


@pytest.mark.parametrize(("extra", "status"), [(0, 200), (1, 400)])
def test_a_context_of_8_kb_exactly_and_one_byte_more(pro, extra, status):
    one = pro.new_instance()
    # {"é":"..."} is 9 bytes and the text.
    context = {"é": "x" * (8_192 - 9 + extra)}
    response = pro.process(one, context=context)
    assert response.status_code == status
    total = pro.get(f"/instances/{one}/history").json()["pagination"]["total"]
    assert total == (1 if status == 200 else 0)
    if status == 400:
        assert response.json()["details"] == {"field": "context", "reason": "too_long"}
