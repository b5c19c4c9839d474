"""What would have failed or stayed silent on the first day in AWS: log levels, idle connections, errors that last."""

import json
import socket
import subprocess
import sys
import threading
from datetime import datetime

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from identity_service.store import accounts, dynamodb, usage

LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")


def level_in_lambda(line):
    """The level that Lambda sees in a JSON line: INFO without an RFC 3339 time (Lambda guide, "Log-level filtering")."""
    document = json.loads(line)
    try:
        moment = datetime.fromisoformat(document["timestamp"])
        level = document["level"].upper().replace("WARNING", "WARN").replace("CRITICAL", "FATAL")
    except (KeyError, ValueError, AttributeError):
        return "INFO"
    return level if moment.tzinfo and "T" in document["timestamp"] and level in LEVELS else "INFO"


@pytest.mark.parametrize(("say", "expected"), [("warning", "WARN"), ("error", "ERROR"), ("exception", "ERROR")])
def test_a_line_keeps_its_level_in_lambda(say, expected):
    code = f"from identity_service.log import logger; logger().{say}('something broke')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert level_in_lambda(done.stdout) == expected, done.stderr


def test_the_rule_itself_takes_a_line_without_rfc_3339_for_info():
    assert level_in_lambda('{"level": "ERROR", "timestamp": "2026-01-31 10:00:00,123+0000"}') == "INFO"
    assert level_in_lambda('{"level": "ERROR"}') == "INFO"
    assert level_in_lambda('{"level": "ERROR", "timestamp": "2026-01-31T10:00:00.123Z"}') == "ERROR"


class ClosingServer:
    """An HTTP server that answers as DynamoDB would. `forget` makes it close each open connection when its next byte comes."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.generation = self.connections = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection, self.generation), daemon=True).start()

    def serve(self, connection, generation):
        with connection, connection.makefile("rb") as lines:
            while lines.readline():
                if generation != self.generation:
                    return
                length = 0
                while (header := lines.readline().strip()) != b"":
                    if header.lower().startswith(b"content-length:"):
                        length = int(header.split(b":")[1])
                lines.read(length)
                body = b'{"Attributes": {"requests": {"N": "1"}, "cycles": {"N": "1"}}}'
                head = f"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n\r\n"
                connection.sendall(head.encode() + body)

    def forget(self):
        self.generation += 1


@pytest.fixture
def server(monkeypatch):
    closing = ClosingServer()
    for name, value in (("AWS_ENDPOINT_URL", closing.url), ("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    dynamodb.client.cache_clear()
    yield closing
    closing.listener.close()
    dynamodb.client.cache_clear()


@pytest.mark.parametrize(("seconds", "answered"), [(31, True), (29, False)])
def test_a_connection_that_idled_for_30_seconds_is_not_used_again(server, monkeypatch, seconds, answered):
    moment = [1_000.0]
    monkeypatch.setattr(dynamodb, "time", lambda: moment[0])
    monkeypatch.setattr(dynamodb, "_used", float("inf"))

    def count():
        return usage.count("acct_1", usage.windows(1_774_347_330), 1, 10, 10)

    count()
    count()
    assert server.connections == 1, "a connection in use is kept"
    server.forget()
    moment[0] += seconds
    if answered:
        count()
        assert server.connections == 2
    else:
        # So the scenario is real: over the dead connection the count, which is never sent twice, has no answer.
        with pytest.raises(dynamodb.StoreUnavailable):
            count()


def refused(code, operation="UpdateItem", status=400):
    return ClientError({"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}, operation)


@pytest.mark.parametrize("code", ["AccessDeniedException", "ValidationException", "ResourceNotFoundException"])
def test_what_no_retry_mends_is_a_500_and_a_line_in_the_log(pro, monkeypatch, caplog, code):
    instance_id = pro.new_instance()
    calls = []

    def fails(operation):
        def call(**_):
            calls.append(operation)
            raise refused(code)

        return call

    pro.get("/personas")
    real = dynamodb.client()
    monkeypatch.setattr(real, "get_item", fails("get"))
    answer = pro.get(f"/instances/{instance_id}")
    assert (answer.status_code, answer.json()["error"]) == (500, "internal_error")
    assert "Retry-After" not in answer.headers
    assert calls == ["get"], "it is not tried again"
    assert code in caplog.text


def test_a_transaction_with_a_part_that_is_invalid_is_no_503(pro, monkeypatch):
    instance_id = pro.new_instance()

    def cancelled(**_):
        error = refused("TransactionCanceledException", "TransactWriteItems")
        error.response["CancellationReasons"] = [{"Code": "None"}, {"Code": "ValidationError"}]
        raise error

    monkeypatch.setattr(dynamodb.client(), "transact_write_items", cancelled)
    left = pro.get("/personas").headers["X-Monthly-Remaining"]
    assert pro.process(instance_id).status_code == 500
    assert pro.get("/personas").headers["X-Monthly-Remaining"] == left, "the cycle is given back"


@pytest.mark.parametrize(
    "error", [refused("AccessDeniedException"), ReadTimeoutError(endpoint_url="http://x")], ids=["denied", "slow"]
)
def test_a_key_is_accepted_when_its_use_cannot_be_noted(pro, monkeypatch, error):
    def fails(**_):
        raise error

    monkeypatch.setattr(dynamodb.client(), "update_item", fails)
    assert accounts.authenticate(pro.key).account_id == pro.account_id
