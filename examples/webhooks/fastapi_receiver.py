"""A receiver with FastAPI: it verifies, answers at once, and works afterwards.

WEBHOOK_SECRET=whsec_... uvicorn fastapi_receiver:app --port 9000
"""

import os

from fastapi import BackgroundTasks, FastAPI, HTTPException, Request, Response
from identity_os_sdk import SignatureError
from identity_os_sdk.webhooks import verify

app = FastAPI()
#: The ids that were taken. With several processes keep them in a database, for a day.
seen: set[str] = set()


@app.post("/")
async def receive(request: Request, background: BackgroundTasks) -> Response:
    """Take a delivery."""
    try:
        event = verify(await request.body(), request.headers, os.environ["WEBHOOK_SECRET"])
    except SignatureError as error:
        raise HTTPException(401, str(error)) from None
    if request.headers["webhook-id"] not in seen:
        seen.add(request.headers["webhook-id"])
        background.add_task(handle, event)
    return Response(status_code=204)


def handle(event: dict) -> None:
    """Your work, after the answer. Events may come in another order: `record` says which was first."""
    data = event["data"]
    if event["type"] == "agent.paused":
        print(f"{data['name']} paused in cycle {data['cycle']}: {data['reason']}", flush=True)
