"""Workarounds for limitations of moto that matter for a server: it is made for tests, which are short and have one thread."""

import copy
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import SimpleNamespace
from typing import Any, Final

from identity_service.clock import now
from local import template

_lock = threading.RLock()
#: Expired items are removed at each iteration of this number, about once a minute. DynamoDB takes up to some days.
_EXPIRY_INTERVAL: Final = 120


def one_at_a_time(client: Any) -> None:
    """Serialise a client's calls: moto is not thread-safe."""
    call = client._make_api_call

    def serialised(*arguments: Any, **options: Any) -> Any:
        with _lock:
            return call(*arguments, **options)

    client._make_api_call = serialised


def keep_only_what_is_stored() -> None:
    """Stop moto from keeping every version of every item, and every stream record, for its dashboard. For a started mock_aws().

    Without this, a server grows by five times what it stores.
    """
    from moto.core.model_instances import model_data

    for model in model_data["dynamodb"].values():
        model.instances_tracked = deque(maxlen=0)  # type: ignore[attr-defined]


def stream_records(table_name: str) -> Iterator[list[dict[str, Any]]]:
    """Yields the table's new stream records at each iteration and removes them, since moto would keep them forever.

    Now and then it also removes the items whose time to live is over, which moto would keep too.
    """
    iteration = 0
    while True:
        records: list[dict[str, Any]] = []
        iteration += 1
        with _lock:
            for table in tables(table_name):
                if iteration % _EXPIRY_INTERVAL == 0:
                    _remove_expired(table)
                records += [record.to_json() for record in table.stream_shard.items]
                del table.stream_shard.items[:]
        yield records


def tables(name: str) -> Iterator[Any]:
    """moto's tables of this name, one for each region that was used."""
    from moto.dynamodb.models import dynamodb_backends

    for account in list(dynamodb_backends.values()):
        for backend in list(account.values()):
            if name in backend.tables:
                yield backend.tables[name]


def _remove_expired(table: Any) -> None:
    attribute, moment = template.table()["TimeToLiveSpecification"]["AttributeName"], now()
    for partition, items in list(table.items.items()):
        for item in list(items.values()):
            if attribute in item.attrs and float(item.attrs[attribute].value) <= moment:
                table.delete_item(item.hash_key, item.range_key)
        if not items:
            # moto keeps an empty partition when its last item is deleted.
            del table.items[partition]


@contextmanager
def small_transactions() -> Iterator[None]:
    """Make moto back up only the items of a transaction. Unpatched, it copies the whole table for each transaction.

    Without this patch, each cycle takes longer than the one before it.
    """
    from moto.dynamodb.models.table import Table

    models: Any = import_module("moto.dynamodb.models")
    backend = models.DynamoDBBackend
    original = backend.transact_write_items

    def transact(self: Any, transact_items: list[dict[str, Any]]) -> None:
        backup = [(table, key, copy.deepcopy(table.get_item(*key))) for table, key in _targets(self, transact_items)]
        stream_lengths = [(t, len(t.stream_shard.items)) for t in self.tables.values() if t.stream_shard]
        try:
            original(self, transact_items)
        except Exception:
            for table, (hash_key, range_key), item in backup:
                if item is None:
                    table.items[hash_key].pop(range_key, None)
                else:
                    table.items[hash_key][range_key] = item
            for table, length in stream_lengths:
                del table.stream_shard.items[length:]
            raise

    deepcopy = copy.deepcopy
    models.copy = SimpleNamespace(
        deepcopy=lambda value, *rest: value if isinstance(value, Table) else deepcopy(value, *rest),
        copy=copy.copy,
    )
    backend.transact_write_items = transact
    try:
        yield
    finally:
        backend.transact_write_items = original
        models.copy = copy


def _targets(backend: Any, transact_items: list[dict[str, Any]]) -> Iterator[tuple[Any, tuple[Any, Any]]]:
    from moto.dynamodb.models.dynamo_type import DynamoType

    for operation in transact_items:
        (arguments,) = operation.values()
        table = backend.tables.get(arguments["TableName"])
        values = arguments.get("Item") or arguments.get("Key") or {}
        if table is not None and table.hash_key_attr in values and table.range_key_attr in values:
            yield table, (DynamoType(values[table.hash_key_attr]), DynamoType(values[table.range_key_attr]))
