"""A receiver as a Lambda behind a function URL (authorization NONE: the signature is what counts).

WEBHOOK_SECRET   the secret of the webhook; better in Secrets Manager, read once
"""

import base64
import os

from identity_os_sdk import SignatureError
from identity_os_sdk.webhooks import verify


def handler(event: dict, _: object) -> dict:
    """Take a delivery. An exception in `handle` is a 502 for us, and the event comes again."""
    body = event.get("body") or ""
    if event.get("isBase64Encoded"):
        body = base64.b64decode(body)
    try:
        told = verify(body, event["headers"], os.environ["WEBHOOK_SECRET"])
    except SignatureError:
        return {"statusCode": 401}
    handle(told)
    return {"statusCode": 204}


def handle(told: dict) -> None:
    """Your work: quick, or a message to a queue of your own. It may see an event twice."""
    print(told["type"], told["data"].get("instance_id"), told["data"].get("reason"))
