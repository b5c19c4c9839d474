"""Reads that do not wait for each other: a page may ask DynamoDB twice in a row, first who asks, then for what it shows."""

from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from fastapi import Request

from functions.console import cookies
from identity_service.store import accounts, users

T = TypeVar("T")
_executor = ThreadPoolExecutor(max_workers=6, thread_name_prefix="reads")


def together(*reads: Callable[[], Any]) -> list[Any]:
    """The results of all reads, which run at the same time."""
    return [future.result() for future in [_executor.submit(read) for read in reads]]


def who(account_id: str) -> tuple[Callable[[], dict[str, str]], Callable[[], dict[str, str]]]:
    """Two reads of the names of whoever may have acted, by their ids: people by address, keys by name."""
    return (
        lambda: {"command-line": "command line"} | accounts.key_names(account_id),
        lambda: {member["id"]: member["email"] for member in users.members(account_id)},
    )


def begin(request: Request, read: Callable[[str], T]) -> "Future[T] | None":
    """Begin a read of the cookie's account, while it is found out who asks.

    Nobody sees the result but a visitor of that account: the page takes it after `require` has let them in.
    """
    known = cookies.read(request, cookies.SESSION)
    return _executor.submit(read, known["account"]) if known and known["account"] else None


def beside(read: Callable[[str], T]) -> Callable[[Request], Awaitable["Future[T] | None"]]:
    """The dependency that begins a read of the account. It stands before the visitor."""

    async def begun(request: Request) -> "Future[T] | None":
        return begin(request, read)

    return begun
