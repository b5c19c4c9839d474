"""`make bench-cost`: what a million cycles cost on AWS, and a million deliveries of events, item by item: from calls and sizes.

The SDKs' path is the one that users get: a guard's context of 300 bytes, and an Idempotency-Key with every POST.

Calls, bytes and the handler's time on a processor are measured here; prices are AWS's list prices for us-east-1 before free
tiers. What DynamoDB takes to answer is an assumption, because no machine but Lambda can say (the dashboard does).
"""

import logging
import math
import sys
from typing import Final

from benchmarks.speed import handler
from benchmarks.speed.calls import keyed, measure, size
from benchmarks.speed.story import Story, observation, told
from identity_service.events import PAUSED
from identity_service.store import dynamodb, instances, webhooks
from identity_service.webhooks import messages, sending
from identity_service.webhooks.messages import told_by

#: Dollars: a request of API Gateway and of Lambda, a GB-second on arm64, a write and a read unit, a GB of logs, a trace.
GATEWAY, INVOCATION, GB_SECOND = 3.50e-6, 0.20e-6, 0.0000133334
WRITE, READ, LOGS, TRACE = 0.625e-6, 0.125e-6, 0.50, 5e-6
STORAGE, BACKUP = 0.25, 0.20  # a GB and month
OUT = 0.09  # a GB to the internet, after the first 100 GB of a month
#: GB, and the share of a core that Lambda gives with it. Assumptions: seconds that DynamoDB takes for a read or count and for a
#: transaction, bytes of an access line, share of calls traced.
MEMORY, CORE = 1.0, 1024 / 1769
ANSWER, TRANSACTION, LINE, TRACED = 0.005, 0.010, 500, 0.05
CYCLES: Final = 1_000_000
#: Deliveries: a request of SQS; messages or records of one call, an assumption; seconds of a fan-out for a record and of a
#: delivery, in which a receiver answers in 0.2 s, assumptions; GB of both functions; most dollars for a million.
QUEUE, TOGETHER, TELLING, SENDING, SMALL, MOST = 0.40e-6, 5, 0.02, 0.25, 0.5, 2.00


def main() -> int:
    """Print the table."""
    logging.disable()
    with told() as story:
        path, hundred = f"/instances/{story.instance}/process", {"observations": [observation(i) for i in range(100)]}
        story.caller.get("/personas")  # the authorizer knows the key from now on
        single = measure(lambda: story.caller.post(path, json=observation(0)))
        sdk = measure(keyed(story, True))
        batch = measure(lambda: story.caller.post(f"{path}/batch", json=hundred))
        sent = _delivery(story)
    seconds = {n: micro / 1e6 / CORE + ANSWER + TRANSACTION for n, micro in handler.microseconds().items()}
    bills, observations = (sdk, single, batch), (1, 1, 100)
    rows: list[tuple[str, tuple[float, ...]]] = [
        ("API Gateway", (GATEWAY,) * 3),
        ("Lambda, requests", (INVOCATION,) * 3),
        ("Lambda, duration", tuple(seconds[n] * MEMORY * GB_SECOND for n in observations)),
    ]
    for name, attribute, price in (("count", "counted", WRITE), ("read", "read", READ), ("commit", "committed", WRITE)):
        rows.append((f"DynamoDB, {name}", tuple(getattr(bill, attribute) * price for bill in bills)))
    rows += [
        ("logs", (LINE / 1e9 * LOGS,) * 3),
        ("X-Ray", (TRACED * TRACE,) * 3),
        ("data out", tuple(bill.answered / 1e9 * OUT for bill in bills)),
    ]
    kept = [
        (f"kept: {name} a month", tuple(b.kept / 1e9 * price for b in bills))
        for name, price in (("storage", STORAGE), ("backup", BACKUP))
    ]

    for name, bill in (("from an SDK", sdk), ("one observation", single), ("a hundred", batch)):
        units = f"count {bill.counted:.0f}, read {bill.read:.0f}, commit {bill.committed:.0f} units; {bill.kept} bytes kept"
        print(f"{name + ':':<17} {', '.join(sorted(bill.calls))}; {units}")
    print(f"{'seconds billed:':<17} {seconds[1]:.4f} and {seconds[100]:.4f}")
    print(f"\n{'$ for a million cycles':<28}{'from an SDK':>14}{'one by one':>14}{'in hundreds':>14}")
    for name, prices in [*rows, ("sum", tuple(map(sum, zip(*(prices for _, prices in rows), strict=True)))), *kept]:
        cells = (price * CYCLES / count for price, count in zip(prices, observations, strict=True))
        print(f"{name:<28}{''.join(f'{cell:>14.2f}' for cell in cells)}")
    return _deliveries(sent)


def _delivery(story: Story) -> int:
    """The bytes of the item of a delivery, an agent's pause with a long answer."""
    agent, text = story.caller.new_instance(), "x" * sending.ANSWER_LIMIT
    stressed = [{"mode_target": "STRESS_RESPONSE", "signal_strength": 0.9}] * 30
    assert story.caller.post(f"/instances/{agent}/process/batch", json={"observations": stressed}).status_code == 200
    records = dynamodb.query("PK = :pk AND begins_with(SK, :sk)", {
        ":pk": instances.partition(story.caller.account_id, agent), ":sk": "OBS#"})  # fmt: skip
    paused = next(told for told in told_by(next(records)) if told.type == PAUSED)
    message = messages.message(paused, "hook_0123456789abcdef")
    webhooks.note(message, webhooks.DELIVERED, 1, 200, 181, text)
    item = dynamodb.get(webhooks.sent_key(message)) or {}
    return size(dynamodb.to_dynamo(item))


def _deliveries(sent: int) -> int:
    """Print what a million deliveries cost; 1 when it is too much."""
    rows = [
        ("SQS, send", QUEUE),
        ("SQS, receive and delete", 2 * QUEUE / TOGETHER),
        ("Lambda, requests", 2 * INVOCATION / TOGETHER),
        ("Lambda, fan-out", TELLING * SMALL * GB_SECOND),
        ("Lambda, delivery", SENDING * SMALL * GB_SECOND / TOGETHER),
        ("DynamoDB, webhooks of the account", READ / TOGETHER),
        ("DynamoDB, webhook and delivery", 2 * READ / 2),
        ("DynamoDB, what became of it", math.ceil(sent / 1024) * WRITE),
    ]
    total = sum(price for _, price in rows) * CYCLES
    print(f"\nan item of a delivery: {sent} bytes")
    print(f"{'$ for a million deliveries':<36}")
    for name, price in [*rows, ("sum", total / CYCLES)]:
        print(f"{name:<36}{price * CYCLES:>6.2f}")
    print(f"{'budget':<36}{MOST:>6.2f}")
    return 0 if total <= MOST else 1


if __name__ == "__main__":
    sys.exit(main())
