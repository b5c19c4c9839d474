"""The exact count behind the limits: requests of the minute and cycles of the month, in one item of the account.

    ACCOUNT#a / USAGE     m<minute since the epoch>: requests     c<YYYYMM>: cycles     g<YYYYMM>: cycles given back

Each window is an attribute of its own, so that one conditional UpdateItem counts both, even when a window has just begun.
Attributes of past windows are swept once there are more than a few, so the item stays small.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from identity_service.store import dynamodb

_SWEEP_AT = 16


@dataclass(frozen=True, slots=True)
class Windows:
    """The minute and the month of one moment, and when they end (epoch seconds)."""

    minute: str
    minute_ends: int
    month: str
    month_ends: int


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests counted in the minute and cycles in the month."""

    requests: int
    cycles: int


class OverLimit(Exception):
    """Nothing was counted. `counts` is what stood in the way."""

    def __init__(self, counts: Counts) -> None:
        super().__init__("over the limit")
        self.counts = counts


def windows(moment: float) -> Windows:
    """The windows that `moment` (epoch seconds) falls in; months are calendar months in UTC."""
    return _windows(int(moment // 60))


@lru_cache(maxsize=1)
def _windows(minute: int) -> Windows:
    day = datetime.fromtimestamp(minute * 60, UTC)
    following = datetime(day.year + day.month // 12, day.month % 12 + 1, 1, tzinfo=UTC)
    return Windows(f"m{minute}", (minute + 1) * 60, f"c{day:%Y%m}", int(following.timestamp()))


def count(account_id: str, at: Windows, cycles: int, per_minute: int, per_month: int) -> Counts:
    """Count one request and `cycles` cycles if both limits allow; OverLimit, and nothing counted, if not."""
    key = {"PK": f"ACCOUNT#{account_id}", "SK": "USAGE"}
    condition = "(attribute_not_exists(#m) OR #m < :limit)"
    values = {":one": 1, ":n": cycles, ":limit": per_minute}
    if cycles:
        room = per_month - cycles
        values[":room"] = room
        condition += " AND (attribute_not_exists(#c) OR #c <= :room)" if room >= 0 else " AND #c <= :room"
    names = {"#m": at.minute, "#c": at.month}
    try:
        operation = dynamodb.update(key, "ADD #m :one, #c :n", values, condition=condition, names=names, returning=True)
        item = dynamodb.write(operation, repeatable=False)
    except dynamodb.Conflict as conflict:
        raise OverLimit(_counts(conflict.items[0] or {}, at)) from None
    _sweep(key, item, at)
    return _counts(item, at)


def release(account_id: str, at: Windows, cycles: int, given: int | None = None) -> None:
    """Return cycles that were reserved and not committed, to the month they were taken from.

    With `given`, only if as many were given back before; Conflict if not.
    """
    key = {"PK": f"ACCOUNT#{account_id}", "SK": "USAGE"}
    values = {":less": -cycles, ":more": cycles}
    condition = ""
    if given:
        values[":given"] = given
        condition = "#g = :given"
    elif given is not None:
        condition = "attribute_not_exists(#g)"
    names = {"#c": at.month, "#g": _given(at)}
    dynamodb.write(dynamodb.update(key, "ADD #c :less, #g :more", values, condition=condition, names=names), repeatable=False)


@dataclass(frozen=True, slots=True)
class Reserved:
    """Cycles of a month that are counted, and those that were counted and given back."""

    counted: int
    given: int


def reserved(account_id: str, at: Windows) -> Reserved:
    """What was ever reserved in the month is the sum of the two: it never goes down."""
    item = dynamodb.get({"PK": f"ACCOUNT#{account_id}", "SK": "USAGE"}) or {}
    return Reserved(item.get(at.month, 0), item.get(_given(at), 0))


def _given(at: Windows) -> str:
    return f"g{at.month[1:]}"


def _counts(item: dynamodb.Item, at: Windows) -> Counts:
    return Counts(item.get(at.minute, 0), item.get(at.month, 0))


def _sweep(key: dict[str, str], item: dynamodb.Item, at: Windows) -> None:
    past = [name for name in item if name[0] == "m" and name < at.minute]
    if len(past) < _SWEEP_AT:
        return
    names = {f"#p{i}": name for i, name in enumerate(past)}
    dynamodb.write(dynamodb.update(key, "REMOVE " + ", ".join(names), names=names))
