"""The exact counters behind the limits: requests in the minute and cycles in the month, in one item per account.

    ACCOUNT#a / USAGE     m<minute since the epoch>: requests     c<YYYYMM>: cycles     g<YYYYMM>: released cycles
                          d<YYYYMMDD>: cycles of a day of this month, which no limit looks at: for people

Each window is a separate attribute, so that one conditional UpdateItem counts all, even when a window has just begun.
Attributes of past minutes are removed once there are 16 of them, those of days when the month is over: the item stays small.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from identity_service.store import dynamodb

_SWEEP_AT = 16


@dataclass(frozen=True, slots=True)
class Windows:
    """The minute, the day and the month of a time, as attribute names, and when minute and month end (epoch seconds)."""

    minute: str
    minute_ends: int
    month: str
    month_ends: int
    day: str


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests counted in the minute and cycles counted in the month."""

    requests: int
    cycles: int


class OverLimit(Exception):
    """A limit is reached and nothing was counted. `counts` holds the current counts."""

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
    return Windows(f"m{minute}", (minute + 1) * 60, f"c{day:%Y%m}", int(following.timestamp()), f"d{day:%Y%m%d}")


def count(account_id: str, windows: Windows, cycles: int, per_minute: int, per_month: int) -> Counts:
    """Count one request and `cycles` cycles if both limits allow it; otherwise count nothing and raise OverLimit."""
    key = {"PK": f"ACCOUNT#{account_id}", "SK": "USAGE"}
    condition = "(attribute_not_exists(#m) OR #m < :limit)"
    values = {":one": 1, ":n": cycles, ":limit": per_minute}
    if cycles:
        room = per_month - cycles
        values[":room"] = room
        condition += " AND (attribute_not_exists(#c) OR #c <= :room)" if room >= 0 else " AND #c <= :room"
    names = {"#m": windows.minute, "#c": windows.month}
    expression = "ADD #m :one, #c :n"
    if cycles:
        expression, names = f"{expression}, #d :n", names | {"#d": windows.day}
    try:
        operation = dynamodb.update(key, expression, values, condition=condition, names=names, returning=True)
        item = dynamodb.write(operation, repeatable=False)
    except dynamodb.Conflict as conflict:
        raise OverLimit(_counts(conflict.items[0] or {}, windows)) from None
    _sweep(key, item, windows)
    return _counts(item, windows)


def current(account_id: str, windows: Windows) -> Counts:
    """What is counted in the windows now; counts nothing."""
    return _counts(dynamodb.get({"PK": f"ACCOUNT#{account_id}", "SK": "USAGE"}) or {}, windows)


def current_days(account_id: str, windows: Windows) -> tuple[Counts, dict[str, int]]:
    """The same, and the cycles of each day of the month that has some, by its date (YYYYMMDD)."""
    item = dynamodb.get({"PK": f"ACCOUNT#{account_id}", "SK": "USAGE"}) or {}
    days = {name[1:]: int(count) for name, count in item.items() if name[:7] == windows.day[:7]}
    return _counts(item, windows), days


def release(account_id: str, windows: Windows, cycles: int, released: int | None = None) -> None:
    """Return reserved cycles that were not committed to the month they were counted in, and to the day.

    With `released`, conditional on that many having been released before; Conflict otherwise. Then nobody knows of which day
    they were, so that the days are left alone.
    """
    key = {"PK": f"ACCOUNT#{account_id}", "SK": "USAGE"}
    values = {":less": -cycles, ":more": cycles}
    condition = ""
    if released:
        values[":released"] = released
        condition = "#g = :released"
    elif released is not None:
        condition = "attribute_not_exists(#g)"
    names, expression = {"#c": windows.month, "#g": _released_attribute(windows)}, "ADD #c :less, #g :more"
    if released is None:
        names, expression = names | {"#d": windows.day}, f"{expression}, #d :less"
    dynamodb.write(dynamodb.update(key, expression, values, condition=condition, names=names), repeatable=False)


@dataclass(frozen=True, slots=True)
class Reserved:
    """Cycles of a month: `counted` without the released ones, and `released`."""

    counted: int
    released: int


def reserved(account_id: str, windows: Windows) -> Reserved:
    """The account's reserved cycles. The sum of both numbers is everything ever reserved: it never decreases."""
    item = dynamodb.get({"PK": f"ACCOUNT#{account_id}", "SK": "USAGE"}) or {}
    return Reserved(item.get(windows.month, 0), item.get(_released_attribute(windows), 0))


def _released_attribute(windows: Windows) -> str:
    return f"g{windows.month[1:]}"


def _counts(item: dynamodb.Item, windows: Windows) -> Counts:
    return Counts(item.get(windows.minute, 0), item.get(windows.month, 0))


def _sweep(key: dict[str, str], item: dynamodb.Item, windows: Windows) -> None:
    minutes = [name for name in item if name[0] == "m" and name < windows.minute]
    days = [name for name in item if name[0] == "d" and name[:7] < windows.day[:7]]
    past = days + (minutes if len(minutes) >= _SWEEP_AT else [])
    if not past:
        return
    names = {f"#p{i}": name for i, name in enumerate(past)}
    dynamodb.write(dynamodb.update(key, "REMOVE " + ", ".join(names), names=names))
