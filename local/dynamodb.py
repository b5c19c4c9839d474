"""The DynamoDB of the local server.

    embedded    moto, in this process: nothing to install, data is lost at exit
    local       AWS's DynamoDB Local (Java, see dynamodb_local.py): stores its data in .local/
    http://...  any endpoint with DynamoDB's API

The table is created from the definition in template.yaml.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from identity_service.settings import settings
from identity_service.store import dynamodb as store_client
from local import stream, template
from local.dynamodb_local import Unusable as Unusable
from local.dynamodb_local import free_port as free_port
from local.dynamodb_local import java
from local.stream import Reader, reading

DATA: Final = template.DATA
_STARTUP_TIMEOUT: Final = 10  # seconds
_NOT_READY: Final = (EndpointConnectionError, ConnectionClosedError, ReadTimeoutError)


@contextmanager
def running(kind: str, other: Reader | None = None) -> Iterator[None]:
    """A DynamoDB of this kind with its table, and the purge and the `other` reader on its stream, while the block runs."""
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "local")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "local")
    os.environ.setdefault("AWS_REGION", "us-east-1")
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    if kind == "embedded":
        with _embedded(other):
            yield
    elif kind == "local":
        with java(DATA / "dynamodb") as endpoint:
            use(endpoint)
            print(f"DynamoDB Local is running at {endpoint}, its data is in {DATA / 'dynamodb'}")
            with reading(stream.of_table(), other):
                yield
    elif kind.startswith(("http://", "https://")):
        use(kind)
        with reading(stream.of_table(), other):
            yield
    else:
        raise Unusable(f"DYNAMODB={kind}: use embedded, local or the http://... address of a DynamoDB")


def create_table(client: Any) -> None:
    """Create the table as the template defines it, unless it exists."""
    properties = template.table()
    names = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    stream = {"StreamEnabled": True, **properties["StreamSpecification"]}
    with suppress(client.exceptions.ResourceInUseException):
        client.create_table(
            TableName=settings().table, StreamSpecification=stream, **{name: properties[name] for name in names}
        )
    # Apart from the table, since an earlier start may have ended between the two. Another server may do it at the same time.
    status = client.describe_time_to_live(TableName=settings().table)["TimeToLiveDescription"]["TimeToLiveStatus"]
    if status == "DISABLED":
        try:
            client.update_time_to_live(
                TableName=settings().table, TimeToLiveSpecification=properties["TimeToLiveSpecification"]
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationException":
                raise


def use(endpoint: str) -> None:
    """Use the DynamoDB at this address, and create its table if needed."""
    os.environ["AWS_ENDPOINT_URL"] = endpoint
    store_client.client.cache_clear()
    end = time.monotonic() + _STARTUP_TIMEOUT
    while True:
        try:
            create_table(store_client.client())
            return
        except Exception as error:
            # A database that was started together with this server may not be ready yet, or slow to answer its first call.
            if not isinstance(error, _NOT_READY) or time.monotonic() > end:
                raise Unusable(f"no DynamoDB answers at {endpoint}: {type(error).__name__}") from error
        time.sleep(0.5)


@contextmanager
def _embedded(other: Reader | None) -> Iterator[None]:
    from moto import mock_aws

    from local.moto_fixes import keep_only_what_is_stored, one_at_a_time, small_transactions, stream_records

    store_client.client.cache_clear()
    with mock_aws(), small_transactions():
        keep_only_what_is_stored()
        one_at_a_time(store_client.client())
        create_table(store_client.client())
        with reading(stream_records(settings().table), other):
            yield
    store_client.client.cache_clear()
