"""The DynamoDB client of the store: a few operations, plain values in and out, three kinds of failure.

Items hold only strings, integers and bytes: state and records are canonical JSON text, packed (`packing`), so no value becomes
a Decimal. The partition key contains the account id, so a request cannot address another account's data.
"""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import islice
from math import inf
from threading import Lock
from time import time
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, EndpointConnectionError

from identity_service.settings import settings
from identity_service.store import retry

Item = dict[str, Any]


class StoreUnavailable(Exception):
    """DynamoDB did not respond, or rejected the call for a temporary reason."""


class Misconfigured(Exception):
    """DynamoDB refuses the call for good: a permission, the table or the request is wrong. Trying again cannot help."""


class OutcomeUnknown(StoreUnavailable):
    """A write timed out, and reading back failed too. The write may have taken effect, or may still do so."""


class Conflict(Exception):
    """A conditional write failed. `items` has, for each operation, the item that failed its condition, or None.

    `after_timeout`: an earlier attempt of the same write timed out, so the conflict may be with the write's own effect.
    """

    def __init__(self, items: list[Item | None], after_timeout: bool = False) -> None:
        super().__init__("a condition did not hold")
        self.items = items
        self.after_timeout = after_timeout


@cache
def client() -> Any:
    """The botocore client of this process, built once, directly from the session: no boto3 resource layer."""
    import botocore.session
    from botocore.config import Config
    from botocore.handlers import add_recursion_detection_header, add_retry_headers
    from botocore.loaders import Loader

    class OneService(Loader):  # type: ignore[misc]
        """Lists DynamoDB as the only service, without searching four hundred folders, and has no endpoint rules.

        Without endpoint rules botocore resolves the endpoint once; with them it resolves it at every call.
        """

        def list_available_services(self, type_name: str) -> list[str]:
            return ["dynamodb"] if type_name == "service-2" else []

    config = Config(
        connect_timeout=1,
        read_timeout=3,
        # No retries by botocore: they would repeat a counter update that took effect before a timeout. `_call` retries instead.
        retries={"total_max_attempts": 1, "mode": "standard"},
        # Takes a third of a call's time (docs/performance.md), and DynamoDB validates too. A fixed user agent is built faster.
        parameter_validation=False,
        user_agent="identity-os",
    )
    session = botocore.session.get_session()
    session.register_component("data_loader", OneService())
    new_client = session.create_client("dynamodb", config=config)
    host = urlsplit(new_client.meta.endpoint_url).netloc.rpartition("@")[2]

    def set_host(request: Any, **_: Any) -> None:
        request.headers["Host"] = host

    events = new_client.meta.events
    # Without this header the signer parses the URL for the host, twice.
    events.register("before-sign.dynamodb", set_host)
    # Botocore's retries are off, so nothing need judge them, nor count them in two signed headers.
    events.unregister("needs-retry.dynamodb", unique_id="retry-config-dynamodb")
    events.unregister("request-created.dynamodb", unique_id="seed-max-attempts-dynamodb")
    events.unregister("request-created", add_retry_headers)
    # A header for services that call functions, against endless loops. DynamoDB calls none.
    events.unregister("before-call", add_recursion_detection_header)
    return new_client


def to_dynamo(values: Mapping[str, Any]) -> Item:
    """An item in DynamoDB's wire format. None values are omitted."""
    return {name: _typed(value) for name, value in values.items() if value is not None}


def _typed(value: int | str | bytes) -> dict[str, str | bytes]:
    if isinstance(value, str):
        return {"S": value}
    return {"B": value} if isinstance(value, bytes) else {"N": str(value)}


def from_dynamo(item: Mapping[str, Any]) -> Item:
    """The opposite of `to_dynamo`."""
    return {name: int(value["N"]) if "N" in value else value.get("S") or value.get("B", "") for name, value in item.items()}


#: Seconds after which a connection that was not used is not trusted: DynamoDB closes idle ones, and a container that was frozen
#: meanwhile never hears of it. A count that is sent over such a connection is not sent twice, so it would be a 503.
_IDLE = 30
_used = inf
_use = Lock()


def _drop_idle_connections() -> None:
    """Close all connections if none was used for a while. By the wall clock: a frozen container's other clocks may stand."""
    global _used
    with _use:
        before, _used = _used, time()
        if _used - before > _IDLE:
            client().close()


#: Most attempts of one call.
_ATTEMPTS = 3
#: Errors by which DynamoDB rejects a call without doing anything, so that every call may be retried.
_REJECTED = {
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "TransactionConflictException",
    "TransactionInProgressException",
}
#: Errors that no retry mends: our own mistake or the operator's, so a 500 and a line in the log, not a 503.
_WRONG = {
    "AccessDenied",
    "AccessDeniedException",
    "ResourceNotFoundException",
    "UnrecognizedClientException",
    "ValidationError",
    "ValidationException",
}


def _call(operation: str, *, repeatable: bool = True, **arguments: Any) -> Any:
    """One call with retries. After a timeout it is retried only if it is `repeatable`, that is, idempotent."""
    timed_out = False
    _drop_idle_connections()
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return getattr(client(), operation)(**arguments)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ConditionalCheckFailedException":
                item = error.response.get("Item")
                raise Conflict([from_dynamo(item) if item else None], timed_out) from None
            if code == "TransactionCanceledException":
                _raise_cancelled(error, timed_out)
            if code in _WRONG or any(reason.get("Code") in _WRONG for reason in _reasons(error)):
                raise Misconfigured(f"{operation}: {error}") from error
            rejected = code in _REJECTED or _throttled(error)
            server_error = error.response["ResponseMetadata"].get("HTTPStatusCode", 0) >= 500
            if attempt == _ATTEMPTS or not (rejected or (server_error and repeatable)):
                raise StoreUnavailable(code) from error
            timed_out |= not rejected
        except (EndpointConnectionError, ConnectTimeoutError) as error:  # the request was never sent
            if attempt == _ATTEMPTS:
                raise StoreUnavailable(type(error).__name__) from error
        except BotoCoreError as error:
            if attempt == _ATTEMPTS or not repeatable:
                raise StoreUnavailable(type(error).__name__) from error
            timed_out = True
        retry.pause(attempt)
    raise AssertionError("unreachable")


def _reasons(error: ClientError) -> list[Any]:
    response: Any = error.response
    return list(response.get("CancellationReasons", []))


def _throttled(error: ClientError) -> bool:
    return any(reason.get("Code") in ("ThrottlingError", "ProvisionedThroughputExceeded") for reason in _reasons(error))


def _raise_cancelled(error: ClientError, timed_out: bool) -> None:
    # Failed conditions and collisions with another transaction both mean that another writer was first.
    reasons = _reasons(error)
    conflicts = {"None", "ConditionalCheckFailed", "TransactionConflict", "DuplicateItem"}
    if reasons and all(reason.get("Code") in conflicts for reason in reasons):
        items = [from_dynamo(r["Item"]) if r.get("Item") else None for r in reasons]
        raise Conflict(items, timed_out) from None


def get(key: Mapping[str, str], attributes: Iterable[str] = ()) -> Item | None:
    """The item, with a strongly consistent read; None when there is none. `attributes` limits what is returned."""
    arguments: dict[str, Any] = {"TableName": settings().table, "Key": to_dynamo(key), "ConsistentRead": True}
    arguments |= _projection(attributes)
    item = _call("get_item", **arguments).get("Item")
    return from_dynamo(item) if item else None


def get_many(keys: list[dict[str, str]], attributes: Iterable[str] = (), *, consistent: bool = True) -> list[Item]:
    """The existing items among at most 100 keys, in no order. Not `consistent`: a moment old, for half the price."""
    table = settings().table
    items: list[Item] = []
    request: Any = {"Keys": [to_dynamo(key) for key in keys], "ConsistentRead": consistent} | _projection(attributes)
    while request.get("Keys"):
        response = _call("batch_get_item", RequestItems={table: request})
        items += map(from_dynamo, response["Responses"].get(table, []))
        request = response.get("UnprocessedKeys", {}).get(table, {})
    return items


def _projection(attributes: Iterable[str]) -> dict[str, Any]:
    names = {f"#p{i}": name for i, name in enumerate(attributes)}
    return {"ProjectionExpression": ",".join(names), "ExpressionAttributeNames": names} if names else {}


def query(condition: str, values: Mapping[str, Any], **options: Any) -> Iterator[Item]:
    """Items of one partition in key order; further pages are fetched while the caller iterates."""
    arguments = {
        "TableName": settings().table,
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": to_dynamo(values),
        **options,
    }
    return _pages("query", arguments)


def _pages(operation: str, arguments: dict[str, Any]) -> Iterator[Item]:
    while True:
        page = _call(operation, **arguments)
        yield from map(from_dynamo, page["Items"])
        if "LastEvaluatedKey" not in page:
            return
        arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def scan(attributes: Iterable[str]) -> Iterator[Item]:
    """Every item of the table, grouped by partition. For repairs only, never in a request."""
    return _pages("scan", {"TableName": settings().table} | _projection(attributes))


def groups_of(size: int, items: Iterator[Item]) -> Iterator[list[Item]]:
    """The items in lists of `size`; the last one may be shorter."""
    while group := list(islice(items, size)):
        yield group


def delete_many(keys: list[dict[str, str]]) -> None:
    """Delete at most 25 items, whether they exist or not; in no order and not atomic."""
    request: Any = [{"DeleteRequest": {"Key": to_dynamo(key)}} for key in keys]
    for attempt in range(retry.TRIES):
        request = _call("batch_write_item", RequestItems={settings().table: request})["UnprocessedItems"].get(settings().table)
        if not request:
            return
        retry.pause(attempt)
    raise StoreUnavailable("UnprocessedItems")


def write(operation: Mapping[str, Any], *, repeatable: bool = True) -> Item:
    """One write, built by `put`, `update` or `delete` below. Returns the item's new values if the operation asks for them.

    A write that adds to a number is not `repeatable`: it is not retried after a timeout, and may have taken effect.
    """
    ((kind, arguments),) = operation.items()
    call = {"Put": "put_item", "Update": "update_item", "Delete": "delete_item"}[kind]
    return from_dynamo(_call(call, repeatable=repeatable, **arguments).get("Attributes", {}))


def write_all(operations: list[dict[str, Any]]) -> None:
    """All of the writes or none, in one transaction. Conflict when a condition fails or another transaction interferes."""
    # With the same token DynamoDB executes the transaction once, however often it is sent.
    _call("transact_write_items", TransactItems=operations, ClientRequestToken=secrets.token_hex(16))


def put(item: Mapping[str, Any], condition: str = "", values: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The operation that stores a whole item."""
    return {"Put": {"TableName": settings().table, "Item": to_dynamo(item)} | _condition(condition, values)}


def delete(key: Mapping[str, str], condition: str = "", values: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The operation that deletes an item."""
    return {"Delete": {"TableName": settings().table, "Key": to_dynamo(key)} | _condition(condition, values)}


def check(key: Mapping[str, str], condition: str, values: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The operation, in transactions only, that changes nothing and fails the others when the condition does not hold."""
    return {"ConditionCheck": {"TableName": settings().table, "Key": to_dynamo(key)} | _condition(condition, values)}


def update(
    key: Mapping[str, str],
    expression: str,
    values: Mapping[str, Any] | None = None,
    *,
    condition: str = "",
    names: Mapping[str, str] | None = None,
    returning: bool = False,
) -> dict[str, Any]:
    """The operation that updates an item; `returning` asks for all its new values (not in transactions)."""
    arguments: dict[str, Any] = {
        "TableName": settings().table,
        "Key": to_dynamo(key),
        "UpdateExpression": expression,
    } | _condition(condition, values)
    if names:
        arguments["ExpressionAttributeNames"] = dict(names)
    if returning:
        arguments["ReturnValues"] = "ALL_NEW"
    return {"Update": arguments}


def _condition(condition: str, values: Mapping[str, Any] | None) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    if condition:
        arguments["ConditionExpression"] = condition
        arguments["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    if values:
        arguments["ExpressionAttributeValues"] = to_dynamo(values)
    return arguments
