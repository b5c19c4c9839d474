"""DynamoDB under botocore's own serialising, signing and parsing: it answers what the embedded table answered once.

Imports nothing that the functions do not import themselves, since cold starts are measured with it.
"""

import json
from base64 import b64encode
from itertools import cycle
from types import SimpleNamespace
from typing import Any

from botocore.awsrequest import AWSResponse

#: Operation, arguments and answer of each call of a request, in order.
Calls = list[tuple[str, dict[str, Any], dict[str, Any]]]


def stub(client: Any, calls: Calls) -> None:
    """Have a DynamoDB client answered by `calls`, each operation by its own in turn, over and over."""
    bodies: dict[str, list[bytes]] = {}
    for operation, _, answer in calls:
        bodies.setdefault("".join(word.title() for word in operation.split("_")), []).append(
            json.dumps(answer, default=_binary).encode()
        )
    answers = {target: cycle(found) for target, found in bodies.items()}

    def answered(request: Any, **_: Any) -> AWSResponse:
        target = request.headers["X-Amz-Target"]
        target = (target.decode() if isinstance(target, bytes) else target).rpartition(".")[2]
        body = next(answers[target])
        raw = SimpleNamespace(stream=lambda *_, **__: iter((body,)))
        return AWSResponse(request.url, 200, {"content-length": str(len(body)), "x-amzn-requestid": "stub"}, raw)

    client.meta.events.register_first("before-send.dynamodb", answered)


def _binary(value: bytes) -> str:
    """Binary attributes as DynamoDB sends them."""
    return b64encode(value).decode()
