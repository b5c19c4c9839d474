"""The contract of an earlier cycle, as it was handed out: replayed by the version that made it, with the record that proves it.

Two hops of DynamoDB: the head, then the last state that was set before the cycle and the observations from the checkpoint on.
Source: docs/architecture.md, "Engines side by side"; docs/api.md, "Audit trail".
"""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from identity_service import errors
from identity_service.engines import engine
from identity_service.store import audit_trail
from identity_service.store.dynamodb import Item
from identity_service.store.instances import Head
from identity_service.store.packing import unpack

# One thread is enough: a container serves one request at a time, and one read runs beside the other.
_executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="replays")


def contract_at(head: Head, cycle: int, *, explain: bool) -> dict[str, Any]:
    """The contract after cycle `cycle`, counted since the agent was last born or reset to a birth; 0 is that birth itself.

    ApiError 404 for a cycle that has not been.
    """
    now = head.document()["cycle"]
    if cycle > now:
        raise errors.no_such_cycle(now)
    seq = head.seq - now + cycle
    pk = head.partition()
    if cycle == 0:
        record = audit_trail.last_event(pk, seq + 1)
        if record is None:
            raise _damaged(head)
        return contract_view(record, unpack(record["state"]), cycle, explain=explain)
    return contract_view(*state_after(head, seq), cycle, explain=explain)


def state_after(head: Head, seq: int) -> tuple[Item, str]:
    """The record that has observation number `seq`, and the state after that observation, as canonical JSON."""
    pk = head.partition()
    way = audit_trail.approach(pk, seq, _executor.submit(audit_trail.last_event, pk, seq).result)
    if way is None:
        raise _damaged(head)
    rows = [row for record in way.records for row in record["observations"]][: seq - way.seq]
    done = engine(way.engine_version).process(json.loads(way.encoded), rows, snapshots="none")
    return way.records[-1], done["state"]


def _damaged(head: Head) -> RuntimeError:
    return RuntimeError(f"the audit trail of {head.id} has no record of this cycle: run identity-os verify on its export")


def contract_view(record: Item, encoded: str, cycle: int, *, explain: bool) -> dict[str, Any]:
    """The contract of a state that a record led to, at a cycle, and what of the record proves it."""
    decided = engine(record["engine_version"])
    view = decided.contract(json.loads(encoded))
    if explain:
        view |= {"explanation": decided.explanation(json.loads(encoded))}
    proof = {name: record[name] for name in ("record", "at", "engine_version", "digest")}
    return view | {"cycle": cycle, "proof": proof}
