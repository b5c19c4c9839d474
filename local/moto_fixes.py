"""Workarounds for three limitations of moto that matter for a server."""

import copy
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import SimpleNamespace
from typing import Any

_lock = threading.RLock()


def one_at_a_time(client: Any) -> None:
    """Serialise a client's calls: moto is not thread-safe."""
    call = client._make_api_call

    def serialised(*arguments: Any, **options: Any) -> Any:
        with _lock:
            return call(*arguments, **options)

    client._make_api_call = serialised


def stream_records(table_name: str) -> Iterator[list[dict[str, Any]]]:
    """Yields the table's new stream records at each iteration and removes them, since moto would keep them forever."""
    from moto.dynamodb.models import dynamodb_backends

    def tables() -> Iterator[Any]:
        for account in list(dynamodb_backends.values()):
            for backend in list(account.values()):
                if table_name in backend.tables:
                    yield backend.tables[table_name]

    while True:
        records: list[dict[str, Any]] = []
        with _lock:
            for table in tables():
                records += [record.to_json() for record in table.stream_shard.items]
                del table.stream_shard.items[:]
        yield records


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
