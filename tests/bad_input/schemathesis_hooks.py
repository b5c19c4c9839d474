"""Loaded by schemathesis, see tests/reliability.py. Gives every request with an Idempotency-Key a unique key.

With a shared key the second request would get the first one's stored response, even after its instance was deleted.
tests/api/test_idempotency.py tests that.
"""

from uuid import uuid4

import schemathesis


@schemathesis.hook
def before_call(context, case, kwargs):
    # The coverage phase tests the header's limits, one value at a time.
    if (
        case.meta.phase.name.value != "coverage"
        and case.headers
        and len(case.headers.get("Idempotency-Key", "")) in range(1, 256)
    ):
        case.headers["Idempotency-Key"] = str(uuid4())
