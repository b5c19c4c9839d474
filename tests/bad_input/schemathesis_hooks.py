"""Loaded by schemathesis, see tests/reliability.py. Every request under a key has a key of its own.

Two that share one are one request by intent, and the second gets the first one's answer, be its instance deleted meanwhile;
tests/api/test_idempotency.py is about that.
"""

from uuid import uuid4

import schemathesis


@schemathesis.hook
def before_call(context, case, kwargs):
    # The coverage phase tries the header's own limits, one value at a time.
    if (
        case.meta.phase.name.value != "coverage"
        and case.headers
        and len(case.headers.get("Idempotency-Key", "")) in range(1, 256)
    ):
        case.headers["Idempotency-Key"] = str(uuid4())
