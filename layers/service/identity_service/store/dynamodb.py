"""The DynamoDB client of the store: few calls, plain values in and out, two kinds of failure.

Items hold strings and integers only: state and records go in as canonical JSON text, so nothing passes through Decimal. The
partition key carries the account, so another account's data cannot be addressed.
"""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, EndpointConnectionError

from identity_service.settings import settings
from identity_service.store import retry

Item = dict[str, Any]


class StoreUnavailable(Exception):
    """DynamoDB did not answer, or refused for a reason that passes."""


class OutcomeUnknown(StoreUnavailable):
    """DynamoDB did not answer to a write, nor to the question whether it took effect. It may, or may still."""


class Conflict(Exception):
    """A condition did not hold. `items` has the item that stood in the way of each operation, None where it held.

    `sent_again` says that an earlier sending of the same write got no answer: what stood in the way may be its own effect.
    """

    def __init__(self, items: list[Item | None], sent_again: bool = False) -> None:
        super().__init__("a condition did not hold")
        self.items = items
        self.sent_again = sent_again


@cache
def client() -> Any:
    """The DynamoDB client of this process, built once and straight from the session: no resource layer."""
    import botocore.session
    from botocore.config import Config
    from botocore.handlers import add_retry_headers
    from botocore.loaders import Loader

    class OneService(Loader):  # type: ignore[misc]
        """Knows that there is a DynamoDB without a walk through four hundred folders, and has no endpoint rules for it.

        Without rules botocore takes the region's endpoint, or the one that is set, once; with them it asks at every call.
        """

        def list_available_services(self, type_name: str) -> list[str]:
            return ["dynamodb"] if type_name == "service-2" else []

    config = Config(
        connect_timeout=1,
        read_timeout=3,
        # Not botocore's own retries: they would count twice what took effect without an answer. `_call` knows better.
        retries={"total_max_attempts": 1, "mode": "standard"},
        # A third of a call's time (docs/performance.md): DynamoDB checks the same, and a name of ours is built faster.
        parameter_validation=False,
        user_agent="identity-os",
    )
    session = botocore.session.get_session()
    session.register_component("data_loader", OneService())
    made = session.create_client("dynamodb", config=config)
    host = urlsplit(made.meta.endpoint_url).netloc.rpartition("@")[2]

    def name_host(request: Any, **_: Any) -> None:
        request.headers["Host"] = host

    # Else the signature takes the host out of the URL, twice.
    made.meta.events.register("before-sign.dynamodb", name_host)
    # Two signed headers that count botocore's retries: it has none.
    made.meta.events.unregister("request-created", add_retry_headers)
    return made


def to_dynamo(values: Mapping[str, Any]) -> Item:
    """Strings and integers in DynamoDB's own notation. None is left out."""
    return {
        name: {"N": str(value)} if isinstance(value, int) else {"S": value}
        for name, value in values.items()
        if value is not None
    }


def from_dynamo(item: Mapping[str, Any]) -> Item:
    """The opposite of `to_dynamo`."""
    return {name: int(value["N"]) if "N" in value else value["S"] for name, value in item.items()}


#: How often a call is sent at the most.
_SENDINGS = 3
#: DynamoDB's refusals: nothing was done, so anything may be sent again.
_REFUSALS = {
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "TransactionConflictException",
    "TransactionInProgressException",
}


def _call(operation: str, *, repeatable: bool = True, **arguments: Any) -> Any:
    """One call. What got no answer is sent again only if it is `repeatable`: if doing it twice is doing it once."""
    unanswered = False
    for sending in range(1, _SENDINGS + 1):
        try:
            return getattr(client(), operation)(**arguments)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ConditionalCheckFailedException":
                found = error.response.get("Item")
                raise Conflict([from_dynamo(found) if found else None], unanswered) from None
            if code == "TransactionCanceledException":
                _raise_cancelled(error, unanswered)
            refused = code in _REFUSALS or _throttled(error)
            broken = error.response["ResponseMetadata"].get("HTTPStatusCode", 0) >= 500
            if sending == _SENDINGS or not (refused or (broken and repeatable)):
                raise StoreUnavailable(code) from error
            unanswered |= not refused
        except (EndpointConnectionError, ConnectTimeoutError) as error:  # it never got there
            if sending == _SENDINGS:
                raise StoreUnavailable(type(error).__name__) from error
        except BotoCoreError as error:
            if sending == _SENDINGS or not repeatable:
                raise StoreUnavailable(type(error).__name__) from error
            unanswered = True
        retry.pause(sending)
    raise AssertionError("unreachable")


def _reasons(error: ClientError) -> list[Any]:
    response: Any = error.response
    return list(response.get("CancellationReasons", []))


def _throttled(error: ClientError) -> bool:
    return any(reason.get("Code") in ("ThrottlingError", "ProvisionedThroughputExceeded") for reason in _reasons(error))


def _raise_cancelled(error: ClientError, unanswered: bool) -> None:
    # Conditions that failed and collisions with another transaction both mean: somebody else was first.
    reasons = _reasons(error)
    lost = {"None", "ConditionalCheckFailed", "TransactionConflict", "DuplicateItem"}
    if reasons and all(reason.get("Code") in lost for reason in reasons):
        items = [from_dynamo(r["Item"]) if r.get("Item") else None for r in reasons]
        raise Conflict(items, unanswered) from None


def get(key: Mapping[str, str], attributes: Iterable[str] = ()) -> Item | None:
    """The item, read strongly consistent; None when there is none. `attributes` limits what is sent."""
    arguments: dict[str, Any] = {"TableName": settings().table, "Key": to_dynamo(key), "ConsistentRead": True}
    arguments |= _projection(attributes)
    item = _call("get_item", **arguments).get("Item")
    return from_dynamo(item) if item else None


def get_many(keys: list[dict[str, str]], attributes: Iterable[str] = ()) -> list[Item]:
    """The items that exist among at most 100 keys, in no order, strongly consistent."""
    table = settings().table
    found: list[Item] = []
    request: Any = {"Keys": [to_dynamo(key) for key in keys], "ConsistentRead": True} | _projection(attributes)
    while request.get("Keys"):
        answer = _call("batch_get_item", RequestItems={table: request})
        found += map(from_dynamo, answer["Responses"].get(table, []))
        request = answer.get("UnprocessedKeys", {}).get(table, {})
    return found


def _projection(attributes: Iterable[str]) -> dict[str, Any]:
    names = {f"#p{i}": name for i, name in enumerate(attributes)}
    return {"ProjectionExpression": ",".join(names), "ExpressionAttributeNames": names} if names else {}


def query(condition: str, values: Mapping[str, Any], **options: Any) -> Iterator[Item]:
    """Items of one partition in key order, page after page, as far as the caller reads."""
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
    """Every item of the table, those of one partition together; for repairs, never on a request's path."""
    return _pages("scan", {"TableName": settings().table} | _projection(attributes))


def groups_of(size: int, items: Iterator[Item]) -> Iterator[list[Item]]:
    """The items in lists of `size`, the last one shorter."""
    while group := list(islice(items, size)):
        yield group


def delete_many(keys: list[dict[str, str]]) -> None:
    """Remove at most 25 items, whether they exist or not; in no order, and not all or nothing."""
    request: Any = [{"DeleteRequest": {"Key": to_dynamo(key)}} for key in keys]
    for attempt in range(retry.TRIES):
        request = _call("batch_write_item", RequestItems={settings().table: request})["UnprocessedItems"].get(settings().table)
        if not request:
            return
        retry.pause(attempt)
    raise StoreUnavailable("UnprocessedItems")


def write(operation: Mapping[str, Any], *, repeatable: bool = True) -> Item:
    """One write, as `put`, `update` or `delete` below made it; the item's new values if it asked for them.

    What adds to a number is not `repeatable`: without an answer it is not sent again, and may have taken effect.
    """
    ((kind, arguments),) = operation.items()
    call = {"Put": "put_item", "Update": "update_item", "Delete": "delete_item"}[kind]
    return from_dynamo(_call(call, repeatable=repeatable, **arguments).get("Attributes", {}))


def write_all(operations: list[dict[str, Any]]) -> None:
    """All of the writes or none of them. Conflict when a condition fails or another transaction is at work."""
    # Under one token DynamoDB does it once, however often it is sent.
    _call("transact_write_items", TransactItems=operations, ClientRequestToken=secrets.token_hex(16))


def put(item: Mapping[str, Any], condition: str = "", values: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The operation that stores an item whole."""
    return {"Put": {"TableName": settings().table, "Item": to_dynamo(item)} | _condition(condition, values)}


def delete(key: Mapping[str, str], condition: str = "", values: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The operation that removes an item."""
    return {"Delete": {"TableName": settings().table, "Key": to_dynamo(key)} | _condition(condition, values)}


def update(
    key: Mapping[str, str],
    expression: str,
    values: Mapping[str, Any] | None = None,
    *,
    condition: str = "",
    names: Mapping[str, str] | None = None,
    returning: bool = False,
) -> dict[str, Any]:
    """The operation that changes an item in place; `returning` asks for all its new values (outside transactions)."""
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
