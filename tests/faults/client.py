"""A faulty DynamoDB client: rejections, errors, timeouts before or after the write took effect, crashes."""

from collections import Counter
from functools import partial
from types import SimpleNamespace

from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

URL = "http://dynamodb"
TRANSACTION = "transact_write_items"
WRITES = {TRANSACTION, "put_item", "update_item", "delete_item", "batch_write_item"}
OPERATIONS = WRITES | {"get_item", "batch_get_item", "query", "scan"}


class Killed(BaseException):
    """Simulates a killed process: a BaseException, so that no error handler runs."""


def refused(operation, code, status=400, **more):
    return ClientError(
        {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}} | more, operation
    )


def conflicting(operation, arguments):
    """The error for a conflict with another transaction."""
    if operation == TRANSACTION:
        reasons = [{"Code": "TransactionConflict"}, *[{"Code": "None"}] * (len(arguments["TransactItems"]) - 1)]
        return refused(operation, "TransactionCanceledException", CancellationReasons=reasons)
    if operation in WRITES:
        return refused(operation, "TransactionConflictException")
    return None


#: The errors that the caller gets. Those of BOTH occur before or after the call took effect.
BOTH = {
    "silent": lambda operation: ReadTimeoutError(endpoint_url=URL),
    "reset": lambda operation: ConnectionClosedError(endpoint_url=URL),
    "broken": lambda operation: refused(operation, "InternalServerError", 500),
    "killed": lambda operation: Killed(),
}
BEFORE = {
    "throttled": lambda operation: refused(operation, "ProvisionedThroughputExceededException"),
    "unreachable": lambda operation: EndpointConnectionError(endpoint_url=URL),
}
KINDS = (
    *BEFORE, *(f"{name} before" for name in BOTH), *(f"{name} after" for name in BOTH),
    "conflict", "slow", "outage", "late by 1", "late by 2", "late by 4", "late by 9",
)  # fmt: skip


class FaultyClient:
    """Wraps a real client. `arm` sets which of the next calls fail, and how; `met` counts the faults that occurred."""

    def __init__(self, real, clock=None):
        self.real, self.clock = real, clock
        self.exceptions, self.meta = real.exceptions, real.meta
        self.met = Counter()
        self.waiting = []
        self.arm({})

    def arm(self, schedule):
        """Start a new process with a schedule. Delayed calls of an earlier process arrive some calls later."""
        self.schedule, self.calls, self.dead, self.out = schedule, 0, False, False
        self.waiting = [(1 + number % 4, *rest) for number, *rest in self.waiting]

    def settle(self):
        """Deliver all delayed calls now."""
        self.arrive(10**9)
        self.arm({})

    def arrive(self, by):
        due = [entry for entry in self.waiting if entry[0] <= by]
        self.waiting = [entry for entry in self.waiting if entry[0] > by]
        for _, operation, arguments in due:
            try:
                getattr(self.real, operation)(**arguments)
                self.met["arrived late and took effect"] += 1
            except ClientError:
                self.met["arrived late and was refused"] += 1

    def __getattr__(self, name):
        return partial(self.call, name) if name in OPERATIONS else getattr(self.real, name)

    def call(self, operation, **arguments):
        if self.dead:
            raise Killed
        self.calls += 1
        self.arrive(self.calls)
        fault = "outage" if self.out else self.schedule.get(self.calls)
        if fault is None:
            return getattr(self.real, operation)(**arguments)
        kind, _, when = fault.partition(" ")
        if kind == "conflict":
            error = conflicting(operation, arguments)
            self.met[fault] += error is not None
            if error:
                raise error
            return getattr(self.real, operation)(**arguments)
        self.met[fault] += 1
        if kind == "slow":
            self.clock.time += 2.5
            return getattr(self.real, operation)(**arguments)
        if kind == "late" and operation in WRITES:
            self.waiting.append((self.calls + int(when.split()[1]), operation, arguments))
        self.out |= kind == "outage"
        if kind in ("late", "outage"):
            raise ReadTimeoutError(endpoint_url=URL)
        if when == "after":
            getattr(self.real, operation)(**arguments)
        self.dead = kind == "killed"
        raise (BEFORE | BOTH)[kind](operation)


class InOrder:
    """Replaces the thread that counts a request during its read: sequential, so that schedules are reproducible."""

    def __init__(self, count_first=True):
        self.count_first = count_first

    def submit(self, work, *arguments):
        outcome = []

        def once():
            if not outcome:
                try:
                    outcome.append((work(*arguments), None))
                except BaseException as error:
                    outcome.append((None, error))

        def result():
            once()
            value, error = outcome[0]
            if error is not None:
                raise error
            return value

        if self.count_first:
            once()
        return SimpleNamespace(result=result)
