"""The DynamoDB client: requests with our settings have the same signature as botocore's."""

from types import SimpleNamespace

import botocore.session
import pytest
from botocore.awsrequest import AWSResponse

from identity_service.store import dynamodb


def sent(client):
    """The headers of a read request, captured before it is sent."""
    captured = []

    def capture(request, **_):
        captured.append({name: value if isinstance(value, str) else value.decode() for name, value in request.headers.items()})
        return AWSResponse(request.url, 200, {}, SimpleNamespace(stream=lambda *_, **__: iter((b"{}",))))

    client.meta.events.register_first("before-send.dynamodb", capture)
    client.get_item(TableName="t", Key={"PK": {"S": "p"}, "SK": {"S": "s"}})
    client.meta.events.unregister("before-send.dynamodb", capture)
    return captured[0]


@pytest.mark.parametrize("endpoint", ["", "http://127.0.0.1:8001", "http://[::1]:8000", "https://vpce-1.example.com"])
def test_signature_equals_botocores(endpoint, monkeypatch):
    for name, value in (
        ("ACCESS_KEY_ID", "a"),
        ("SECRET_ACCESS_KEY", "b"),
        ("REGION", "eu-west-1"),
        ("DEFAULT_REGION", "eu-west-1"),
    ):
        monkeypatch.setenv(f"AWS_{name}", value)
    if endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    dynamodb.client.cache_clear()
    ours = dynamodb.client()
    dynamodb.client.cache_clear()
    plain = botocore.session.get_session().create_client("dynamodb")
    address = endpoint or "https://dynamodb.eu-west-1.amazonaws.com"
    assert ours.meta.endpoint_url == address

    # botocore's own signer, without the headers that count retries.
    plain.meta.events.register("before-sign.dynamodb", without_retries)
    for _ in range(3):
        own, others = sent(ours), sent(plain)
        if own["X-Amz-Date"] == others["X-Amz-Date"]:  # the clock did not tick in between
            break
    assert own["Host"] == address.rpartition("/")[2]
    assert not [name for name in own if name.startswith("amz-sdk")]
    assert own["Authorization"] == others["Authorization"]


def without_retries(request, **_):
    for name in ("amz-sdk-invocation-id", "amz-sdk-request"):
        del request.headers[name]
