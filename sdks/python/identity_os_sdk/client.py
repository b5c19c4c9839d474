"""The two clients: `IdentityOS`, and `IdentityOSAsync` with the same methods as coroutines."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, TypeVar

import httpx

from identity_os_sdk import calls
from identity_os_sdk import models as m
from identity_os_sdk.anchors import AuditLog
from identity_os_sdk.calls import Call
from identity_os_sdk.errors import NotFoundError
from identity_os_sdk.transport import LastResponse, Send, Wait, about, conversation, options

T = TypeVar("T")
Row = TypeVar("Row")
Observations = Iterable[m.Observation | Mapping[str, Any]]

#: Rows that the auto-paging iterators fetch at a time.
_ROWS = 100


class Instances:
    """Create, list, get, update and delete instances."""

    def __init__(self, client: "IdentityOS") -> None:
        self._client = client

    def create(self, name: str, description: str | None = None, initial_config: Mapping[str, Any] | None = None) -> m.Instance:
        """Create an agent."""
        return self._client.send(calls.create_instance(name, description, initial_config))

    def list(
        self,
        limit: int | None = None,
        offset: int | None = None,
        sort: str | None = None,
        order: str | None = None,
        name: str | None = None,
    ) -> m.Page[m.InstanceSummary]:
        """One page of the account's instances. `sort`: created_at or name; `order`: asc or desc; `name`: exactly this name."""
        return self._client.send(calls.list_instances(limit, offset, sort, order, name))

    def open(self, name: str, initial_config: Mapping[str, Any] | None = None) -> m.Instance:
        """The oldest agent of that name, which is created if there is none. Two processes at once create one."""
        found = self._client.send(calls.list_instances(1, 0, None, "asc", name))
        for row in found.data:
            return self._client.send(calls.get_instance(row.id))
        made = self._client.send(calls.open_instance(name, initial_config))
        try:
            return self._client.send(calls.get_instance(made.id))
        except NotFoundError:
            # It was created under this key within the last day, and deleted since.
            return self._client.send(calls.create_instance(name, None, initial_config))

    def get(self, instance_id: str) -> m.InstanceDetail:
        """One instance with its current state."""
        return self._client.send(calls.get_instance(instance_id))

    def update(self, instance_id: str, name: str | None = None, description: str | None = None) -> m.Instance:
        """Change the name, the description or both."""
        return self._client.send(calls.update_instance(instance_id, name, description))

    def delete(self, instance_id: str) -> m.Deleted:
        """Delete an instance. It disappears at once."""
        return self._client.send(calls.delete_instance(instance_id))

    def iterate(self, sort: str | None = None, order: str | None = None) -> Iterator[m.InstanceSummary]:
        """All instances, fetched page by page."""
        return self._client.rows(lambda offset: calls.list_instances(_ROWS, offset, sort, order), lambda row: row.id)


class Engine:
    """Process observations; read contracts, snapshots and histories."""

    def __init__(self, client: "IdentityOS") -> None:
        self._client = client

    @property
    def key_scope(self) -> str | None:
        """The scope of the client's key (read, agent, operator), as the last response said; None before the first."""
        last = self._client.last_response
        return last.key_scope if last else None

    def process(
        self,
        instance_id: str,
        mode_target: m.Mode | str,
        signal_strength: float,
        confidence: float | None = None,
        context: Mapping[str, Any] | None = None,
        timestamp: str | datetime | None = None,
        severity: m.Severity | None = None,
        idempotency_key: str | None = None,
    ) -> m.Processed:
        """Report what the agent just did and get what it may do now. Costs one cycle.

        `severity`: "incident" for what a detector or a person has confirmed (STRESS_RESPONSE alone): stress is HIGH at once.
        `idempotency_key`: a key of your own; the same report under it is processed once, for 24 hours.
        """
        return self._client.send(
            calls.process(
                instance_id,
                calls.observation(mode_target, signal_strength, confidence, context, timestamp, severity),
                idempotency_key,
            )
        )

    def process_batch(
        self, instance_id: str, observations: Observations, include_intermediate: bool | None = None
    ) -> m.BatchProcessed:
        """Up to 100 observations in order, all or none. Costs one cycle each."""
        return self._client.send(calls.process_batch(instance_id, observations, include_intermediate))

    def simulate(
        self, instance_id: str, observations: Observations, include_intermediate: bool | None = None
    ) -> m.BatchProcessed:
        """What process_batch would return, computed on a copy: nothing is stored, no cycle is counted."""
        return self._client.send(calls.simulate(instance_id, observations, include_intermediate))

    def get_snapshot(self, instance_id: str) -> m.SnapshotDetail:
        """The agent's current state and memory."""
        return self._client.send(calls.get_snapshot(instance_id))

    def get_contract(self, instance_id: str, explain: bool | None = None, cycle: int | None = None) -> m.Contract:
        """What the agent may do now; with `explain` also why.

        With `cycle` the contract as it was handed out at that cycle, and in `proof` the audit record that it follows from.
        """
        return self._client.send(calls.get_contract(instance_id, explain, cycle))

    def assess_goal(
        self, instance_id: str, complexity: str, required_modes: Iterable[m.Mode | str] | None = None
    ) -> m.GoalAssessment:
        """Whether the agent should take on a goal now. `complexity`: low, medium, high or critical."""
        return self._client.send(calls.assess_goal(instance_id, complexity, required_modes))

    def reset(self, instance_id: str, mode: m.ResetMode, note: str | None = None) -> m.Reset:
        """Reset the agent. The history stays. Needs a key of scope operator.

        `mode`: initial, last_stable, default, or rebaseline, which accepts the agent as it is now as the new normal.
        `note`: why, up to 500 characters, which the audit trail keeps.
        """
        return self._client.send(calls.reset(instance_id, mode, note))

    def upgrade(
        self,
        instance_id: str,
        version: str | None = None,
        *,
        preview: bool = True,
        force: bool = False,
        note: str | None = None,
    ) -> m.Upgrade:
        """Let another engine decide from now on (`version`; left out: the newest), or as a `preview` say what would differ.

        A preview, the default, replays the agent's life under both and changes nothing. `force` upgrades a paused or escalated
        agent too, and needs a `note`, which the audit trail keeps. Needs a key of scope operator.
        """
        return self._client.send(calls.upgrade(instance_id, version, preview, force, note))

    def fork(self, instance_id: str, at_cycle: int, name: str) -> m.InstanceDetail:
        """Make an instance that is what this one was after cycle `at_cycle`, with its history, to try what would have happened.

        Costs the cycles that are replayed, 10,000 at most. Needs a key of scope operator.
        """
        return self._client.send(calls.fork(instance_id, at_cycle, name))

    def get_history(self, instance_id: str, limit: int | None = None, offset: int | None = None) -> m.Page[m.HistoryRow]:
        """One page of the processed observations, newest first."""
        return self._client.send(calls.history(instance_id, limit, offset))

    def get_timeline(self, instance_id: str, limit: int | None = None, before: int | None = None) -> m.Page[m.TimelineRow]:
        """One page of what each cycle led to, newest first. `before`: only cycles with a lower `seq`."""
        return self._client.send(calls.timeline(instance_id, limit, before))

    def get_drift(
        self, instance_id: str, limit: int | None = None, offset: int | None = None, level: str | None = None
    ) -> m.Page[m.DriftEvent]:
        """One page of the drift events, newest first. `level`: D1, D2 or D3."""
        return self._client.send(calls.drift(instance_id, limit, offset, level))

    def audit(self, instance_id: str, limit: int | None = None, offset: int | None = None) -> m.Page[m.AuditRecord]:
        """One page of the audit trail, oldest first."""
        return self._client.send(calls.audit(instance_id, limit, offset))

    def verify(self, instance_id: str) -> m.Verification:
        """Let the service replay and verify the whole audit trail."""
        return self._client.send(calls.verify(instance_id))

    def iterate_history(self, instance_id: str) -> Iterator[m.HistoryRow]:
        """The whole history, newest first. No row comes twice, even when new observations arrive meanwhile."""
        return self._client.rows(lambda offset: calls.history(instance_id, _ROWS, offset), lambda row: row.seq)

    def iterate_drift(self, instance_id: str, level: str | None = None) -> Iterator[m.DriftEvent]:
        """All drift events, newest first."""
        return self._client.rows(
            lambda offset: calls.drift(instance_id, _ROWS, offset, level),
            lambda row: (row.cycle, row.timestamp, row.drift_level),
        )

    def iterate_audit(self, instance_id: str) -> Iterator[m.AuditRecord]:
        """The whole audit trail, oldest first."""
        return self._client.rows(lambda offset: calls.audit(instance_id, _ROWS, offset), lambda row: row.record)


class Personas:
    """The twelve personas."""

    def __init__(self, client: "IdentityOS") -> None:
        self._client = client

    def list(self) -> m.Page[m.Persona]:
        """The twelve personas."""
        return self._client.send(calls.list_personas())

    def get(self, persona_id: str) -> m.PersonaDetail:
        """One persona in full."""
        return self._client.send(calls.get_persona(persona_id))


class Webhooks:
    """Who is told of events. Needs a key of scope operator. `identity_os_sdk.webhooks.verify` is for the receiver."""

    def __init__(self, client: "IdentityOS") -> None:
        self._client = client

    def create(
        self,
        url: str,
        types: Iterable[str] | None = None,
        description: str | None = None,
        idempotency_key: str | None = None,
    ) -> m.WebhookWithSecret:
        """Make a webhook for events of these types, by default of all. Save its secret: it is shown once."""
        return self._client.send(calls.create_webhook(url, types, description, idempotency_key))

    def list(self) -> m.Page[m.Webhook]:
        """The account's webhooks, oldest first."""
        return self._client.send(calls.list_webhooks())

    def get(self, webhook_id: str) -> m.Webhook:
        """One webhook."""
        return self._client.send(calls.get_webhook(webhook_id))

    def update(
        self,
        webhook_id: str,
        url: str | None = None,
        types: Iterable[str] | None = None,
        description: str | None = None,
        enabled: bool | None = None,
    ) -> m.Webhook:
        """Change it, or switch it off or on. `types=[]`: all."""
        return self._client.send(calls.update_webhook(webhook_id, url, types, description, enabled))

    def delete(self, webhook_id: str) -> m.Deleted:
        """Delete it. What is under way to it is not sent."""
        return self._client.send(calls.delete_webhook(webhook_id))

    def rotate(self, webhook_id: str) -> m.WebhookWithSecret:
        """Give it a new secret. For a day both sign."""
        return self._client.send(calls.rotate_secret(webhook_id))

    def test(self, webhook_id: str) -> m.Queued:
        """Send `webhook.test` at once."""
        return self._client.send(calls.test_webhook(webhook_id))

    def deliveries(self, webhook_id: str, limit: int | None = None, offset: int | None = None) -> m.Page[m.Delivery]:
        """One page of the last 100 deliveries, newest first."""
        return self._client.send(calls.list_deliveries(webhook_id, limit, offset))

    def redeliver(self, webhook_id: str, delivery_id: str) -> m.Queued:
        """Send one of the last deliveries again, with the same id."""
        return self._client.send(calls.redeliver(webhook_id, delivery_id))


class Test:
    """The personality test."""

    def __init__(self, client: "IdentityOS") -> None:
        self._client = client

    def questions(self, version: str | None = None) -> m.Questions:
        """The questions of a version: v1, v2 or v3."""
        return self._client.send(calls.questions(version))

    def submit(
        self, version: str, answers: Mapping[str, str], *, instance_id: str | None = None, instance_name: str | None = None
    ) -> m.TestResult:
        """Submit answers (question id to option id) for an existing instance, or for a new one with a name."""
        return self._client.send(calls.submit_test(version, answers, instance_id, instance_name))


def _keep_digest(log: AuditLog | None, path: str, result: Any, response: LastResponse | None) -> None:
    if log is not None and response is not None and response.audit_digest is not None:
        log.keep(path, result, response.audit_digest, response.request_id)


class IdentityOS:
    """A client of Identity OS. Safe to share between threads; close it, or use it as a context manager.

    `api_key` and `base_url` (with or without /v1) come from IDENTITY_OS_API_KEY and IDENTITY_OS_BASE_URL if they are not given.
    `timeout`: seconds for one sending. Connection errors, 409, 429 and 5xx are sent again up to `max_retries` times, with
    backoff, jitter and Retry-After; a wait longer than `longest_wait` seconds raises instead. Every POST carries an
    Idempotency-Key, so that sending it again is safe. `audit_log`: a file to which the digest of each audit record is appended,
    for `identity-os verify --anchors`. `http_client`: an httpx.Client of your own, which is then yours to close.
    """

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        *,
        timeout: float = 30.0,
        max_retries: int = 4,
        longest_wait: float = 60.0,
        audit_log: str | os.PathLike[str] | None = None,
        http_client: httpx.Client | None = None,
    ) -> None:
        self._options = options(api_key, base_url, timeout, max_retries, longest_wait)
        self._audit_log = AuditLog(audit_log) if audit_log is not None else None
        self._own = http_client is None
        self._http = http_client or httpx.Client()
        #: The last response's request id, rate limit and retries. None before the first response.
        self.last_response: LastResponse | None = None
        self.instances = Instances(self)
        self.engine = Engine(self)
        self.personas = Personas(self)
        self.test = Test(self)
        self.webhooks = Webhooks(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._options.base_url!r})"

    def send(self, call: Call[T]) -> T:
        """Send a call with retries. IdentityOSError when it fails."""
        steps = conversation(call, self._options)
        step = next(steps)
        while True:
            answer: httpx.Response | httpx.TransportError | None = None
            if isinstance(step, Wait):
                time.sleep(step.seconds)
            else:
                answer = self._ask(step)
                if isinstance(answer, httpx.Response):
                    self.last_response = about(answer)
            try:
                step = steps.send(answer)
            except StopIteration as done:
                result: T
                result, self.last_response = done.value
                _keep_digest(self._audit_log, call.path, result, self.last_response)
                return result

    def _ask(self, step: Send) -> httpx.Response | httpx.TransportError:
        try:
            return self._http.request(
                step.method,
                step.url,
                headers=step.headers,
                params=step.query,
                content=step.body,
                timeout=self._options.timeout,
            )
        except httpx.TransportError as error:
            return error
        except httpx.DecodingError as error:
            return httpx.RemoteProtocolError(str(error))

    def rows(self, page: Callable[[int], Call[m.Page[Row]]], key: Callable[[Row], Any]) -> Iterator[Row]:
        """The rows of all pages, without duplicates."""
        offset, seen = 0, set[Any]()
        while True:
            found = self.send(page(offset))
            fresh = [row for row in found.data if key(row) not in seen]
            yield from fresh
            seen = {key(row) for row in found.data}
            offset += len(found.data)
            if not found.pagination.has_more:
                return

    def close(self) -> None:
        """Close the connections."""
        if self._own:
            self._http.close()

    def __enter__(self) -> "IdentityOS":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class InstancesAsync:
    """Create, list, get, update and delete instances."""

    def __init__(self, client: "IdentityOSAsync") -> None:
        self._client = client

    async def create(
        self, name: str, description: str | None = None, initial_config: Mapping[str, Any] | None = None
    ) -> m.Instance:
        """Create an agent."""
        return await self._client.send(calls.create_instance(name, description, initial_config))

    async def list(
        self,
        limit: int | None = None,
        offset: int | None = None,
        sort: str | None = None,
        order: str | None = None,
        name: str | None = None,
    ) -> m.Page[m.InstanceSummary]:
        """One page of the account's instances. `sort`: created_at or name; `order`: asc or desc; `name`: exactly this name."""
        return await self._client.send(calls.list_instances(limit, offset, sort, order, name))

    async def open(self, name: str, initial_config: Mapping[str, Any] | None = None) -> m.Instance:
        """The oldest agent of that name, which is created if there is none. Two processes at once create one."""
        found = await self._client.send(calls.list_instances(1, 0, None, "asc", name))
        for row in found.data:
            return await self._client.send(calls.get_instance(row.id))
        made = await self._client.send(calls.open_instance(name, initial_config))
        try:
            return await self._client.send(calls.get_instance(made.id))
        except NotFoundError:
            # It was created under this key within the last day, and deleted since.
            return await self._client.send(calls.create_instance(name, None, initial_config))

    async def get(self, instance_id: str) -> m.InstanceDetail:
        """One instance with its current state."""
        return await self._client.send(calls.get_instance(instance_id))

    async def update(self, instance_id: str, name: str | None = None, description: str | None = None) -> m.Instance:
        """Change the name, the description or both."""
        return await self._client.send(calls.update_instance(instance_id, name, description))

    async def delete(self, instance_id: str) -> m.Deleted:
        """Delete an instance. It disappears at once."""
        return await self._client.send(calls.delete_instance(instance_id))

    def iterate(self, sort: str | None = None, order: str | None = None) -> AsyncIterator[m.InstanceSummary]:
        """All instances, fetched page by page."""
        return self._client.rows(lambda offset: calls.list_instances(_ROWS, offset, sort, order), lambda row: row.id)


class EngineAsync:
    """Process observations; read contracts, snapshots and histories."""

    def __init__(self, client: "IdentityOSAsync") -> None:
        self._client = client

    @property
    def key_scope(self) -> str | None:
        """The scope of the client's key (read, agent, operator), as the last response said; None before the first."""
        last = self._client.last_response
        return last.key_scope if last else None

    async def process(
        self,
        instance_id: str,
        mode_target: m.Mode | str,
        signal_strength: float,
        confidence: float | None = None,
        context: Mapping[str, Any] | None = None,
        timestamp: str | datetime | None = None,
        severity: m.Severity | None = None,
        idempotency_key: str | None = None,
    ) -> m.Processed:
        """Report what the agent just did and get what it may do now. Costs one cycle.

        `severity`: "incident" for what a detector or a person has confirmed (STRESS_RESPONSE alone): stress is HIGH at once.
        `idempotency_key`: a key of your own; the same report under it is processed once, for 24 hours.
        """
        return await self._client.send(
            calls.process(
                instance_id,
                calls.observation(mode_target, signal_strength, confidence, context, timestamp, severity),
                idempotency_key,
            )
        )

    async def process_batch(
        self, instance_id: str, observations: Observations, include_intermediate: bool | None = None
    ) -> m.BatchProcessed:
        """Up to 100 observations in order, all or none. Costs one cycle each."""
        return await self._client.send(calls.process_batch(instance_id, observations, include_intermediate))

    async def simulate(
        self, instance_id: str, observations: Observations, include_intermediate: bool | None = None
    ) -> m.BatchProcessed:
        """What process_batch would return, computed on a copy: nothing is stored, no cycle is counted."""
        return await self._client.send(calls.simulate(instance_id, observations, include_intermediate))

    async def get_snapshot(self, instance_id: str) -> m.SnapshotDetail:
        """The agent's current state and memory."""
        return await self._client.send(calls.get_snapshot(instance_id))

    async def get_contract(self, instance_id: str, explain: bool | None = None, cycle: int | None = None) -> m.Contract:
        """What the agent may do now; with `explain` also why.

        With `cycle` the contract as it was handed out at that cycle, and in `proof` the audit record that it follows from.
        """
        return await self._client.send(calls.get_contract(instance_id, explain, cycle))

    async def assess_goal(
        self, instance_id: str, complexity: str, required_modes: Iterable[m.Mode | str] | None = None
    ) -> m.GoalAssessment:
        """Whether the agent should take on a goal now. `complexity`: low, medium, high or critical."""
        return await self._client.send(calls.assess_goal(instance_id, complexity, required_modes))

    async def reset(self, instance_id: str, mode: m.ResetMode, note: str | None = None) -> m.Reset:
        """As Engine.reset."""
        return await self._client.send(calls.reset(instance_id, mode, note))

    async def upgrade(
        self,
        instance_id: str,
        version: str | None = None,
        *,
        preview: bool = True,
        force: bool = False,
        note: str | None = None,
    ) -> m.Upgrade:
        """As Engine.upgrade."""
        return await self._client.send(calls.upgrade(instance_id, version, preview, force, note))

    async def fork(self, instance_id: str, at_cycle: int, name: str) -> m.InstanceDetail:
        """As Engine.fork."""
        return await self._client.send(calls.fork(instance_id, at_cycle, name))

    async def get_history(self, instance_id: str, limit: int | None = None, offset: int | None = None) -> m.Page[m.HistoryRow]:
        """One page of the processed observations, newest first."""
        return await self._client.send(calls.history(instance_id, limit, offset))

    async def get_timeline(
        self, instance_id: str, limit: int | None = None, before: int | None = None
    ) -> m.Page[m.TimelineRow]:
        """One page of what each cycle led to, newest first. `before`: only cycles with a lower `seq`."""
        return await self._client.send(calls.timeline(instance_id, limit, before))

    async def get_drift(
        self, instance_id: str, limit: int | None = None, offset: int | None = None, level: str | None = None
    ) -> m.Page[m.DriftEvent]:
        """One page of the drift events, newest first. `level`: D1, D2 or D3."""
        return await self._client.send(calls.drift(instance_id, limit, offset, level))

    async def audit(self, instance_id: str, limit: int | None = None, offset: int | None = None) -> m.Page[m.AuditRecord]:
        """One page of the audit trail, oldest first."""
        return await self._client.send(calls.audit(instance_id, limit, offset))

    async def verify(self, instance_id: str) -> m.Verification:
        """Let the service replay and verify the whole audit trail."""
        return await self._client.send(calls.verify(instance_id))

    def iterate_history(self, instance_id: str) -> AsyncIterator[m.HistoryRow]:
        """The whole history, newest first. No row comes twice, even when new observations arrive meanwhile."""
        return self._client.rows(lambda offset: calls.history(instance_id, _ROWS, offset), lambda row: row.seq)

    def iterate_drift(self, instance_id: str, level: str | None = None) -> AsyncIterator[m.DriftEvent]:
        """All drift events, newest first."""
        return self._client.rows(
            lambda offset: calls.drift(instance_id, _ROWS, offset, level),
            lambda row: (row.cycle, row.timestamp, row.drift_level),
        )

    def iterate_audit(self, instance_id: str) -> AsyncIterator[m.AuditRecord]:
        """The whole audit trail, oldest first."""
        return self._client.rows(lambda offset: calls.audit(instance_id, _ROWS, offset), lambda row: row.record)


class PersonasAsync:
    """The twelve personas."""

    def __init__(self, client: "IdentityOSAsync") -> None:
        self._client = client

    async def list(self) -> m.Page[m.Persona]:
        """The twelve personas."""
        return await self._client.send(calls.list_personas())

    async def get(self, persona_id: str) -> m.PersonaDetail:
        """One persona in full."""
        return await self._client.send(calls.get_persona(persona_id))


class WebhooksAsync:
    """Who is told of events. Needs a key of scope operator. `identity_os_sdk.webhooks.verify` is for the receiver."""

    def __init__(self, client: "IdentityOSAsync") -> None:
        self._client = client

    async def create(
        self,
        url: str,
        types: Iterable[str] | None = None,
        description: str | None = None,
        idempotency_key: str | None = None,
    ) -> m.WebhookWithSecret:
        """Make a webhook for events of these types, by default of all. Save its secret: it is shown once."""
        return await self._client.send(calls.create_webhook(url, types, description, idempotency_key))

    async def list(self) -> m.Page[m.Webhook]:
        """The account's webhooks, oldest first."""
        return await self._client.send(calls.list_webhooks())

    async def get(self, webhook_id: str) -> m.Webhook:
        """One webhook."""
        return await self._client.send(calls.get_webhook(webhook_id))

    async def update(
        self,
        webhook_id: str,
        url: str | None = None,
        types: Iterable[str] | None = None,
        description: str | None = None,
        enabled: bool | None = None,
    ) -> m.Webhook:
        """Change it, or switch it off or on. `types=[]`: all."""
        return await self._client.send(calls.update_webhook(webhook_id, url, types, description, enabled))

    async def delete(self, webhook_id: str) -> m.Deleted:
        """Delete it. What is under way to it is not sent."""
        return await self._client.send(calls.delete_webhook(webhook_id))

    async def rotate(self, webhook_id: str) -> m.WebhookWithSecret:
        """Give it a new secret. For a day both sign."""
        return await self._client.send(calls.rotate_secret(webhook_id))

    async def test(self, webhook_id: str) -> m.Queued:
        """Send `webhook.test` at once."""
        return await self._client.send(calls.test_webhook(webhook_id))

    async def deliveries(self, webhook_id: str, limit: int | None = None, offset: int | None = None) -> m.Page[m.Delivery]:
        """One page of the last 100 deliveries, newest first."""
        return await self._client.send(calls.list_deliveries(webhook_id, limit, offset))

    async def redeliver(self, webhook_id: str, delivery_id: str) -> m.Queued:
        """Send one of the last deliveries again, with the same id."""
        return await self._client.send(calls.redeliver(webhook_id, delivery_id))


class TestAsync:
    """The personality test."""

    def __init__(self, client: "IdentityOSAsync") -> None:
        self._client = client

    async def questions(self, version: str | None = None) -> m.Questions:
        """The questions of a version: v1, v2 or v3."""
        return await self._client.send(calls.questions(version))

    async def submit(
        self, version: str, answers: Mapping[str, str], *, instance_id: str | None = None, instance_name: str | None = None
    ) -> m.TestResult:
        """Submit answers (question id to option id) for an existing instance, or for a new one with a name."""
        return await self._client.send(calls.submit_test(version, answers, instance_id, instance_name))


class IdentityOSAsync:
    """The same client for asyncio: every method is awaited, the iterators are asynchronous."""

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        *,
        timeout: float = 30.0,
        max_retries: int = 4,
        longest_wait: float = 60.0,
        audit_log: str | os.PathLike[str] | None = None,
        http_client: httpx.AsyncClient | None = None,
    ) -> None:
        self._options = options(api_key, base_url, timeout, max_retries, longest_wait)
        self._audit_log = AuditLog(audit_log) if audit_log is not None else None
        self._own = http_client is None
        self._http = http_client or httpx.AsyncClient()
        #: The last response's request id, rate limit and retries. None before the first response.
        self.last_response: LastResponse | None = None
        self.instances = InstancesAsync(self)
        self.engine = EngineAsync(self)
        self.personas = PersonasAsync(self)
        self.test = TestAsync(self)
        self.webhooks = WebhooksAsync(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._options.base_url!r})"

    async def send(self, call: Call[T]) -> T:
        """Send a call with retries. IdentityOSError when it fails."""
        steps = conversation(call, self._options)
        step = next(steps)
        while True:
            answer: httpx.Response | httpx.TransportError | None = None
            if isinstance(step, Wait):
                await asyncio.sleep(step.seconds)
            else:
                answer = await self._ask(step)
                if isinstance(answer, httpx.Response):
                    self.last_response = about(answer)
            try:
                step = steps.send(answer)
            except StopIteration as done:
                result: T
                result, self.last_response = done.value
                _keep_digest(self._audit_log, call.path, result, self.last_response)
                return result

    async def _ask(self, step: Send) -> httpx.Response | httpx.TransportError:
        try:
            return await self._http.request(
                step.method,
                step.url,
                headers=step.headers,
                params=step.query,
                content=step.body,
                timeout=self._options.timeout,
            )
        except httpx.TransportError as error:
            return error
        except httpx.DecodingError as error:
            return httpx.RemoteProtocolError(str(error))

    async def rows(self, page: Callable[[int], Call[m.Page[Row]]], key: Callable[[Row], Any]) -> AsyncIterator[Row]:
        """The rows of all pages, without duplicates."""
        offset, seen = 0, set[Any]()
        while True:
            found = await self.send(page(offset))
            for row in found.data:
                if key(row) not in seen:
                    yield row
            seen = {key(row) for row in found.data}
            offset += len(found.data)
            if not found.pagination.has_more:
                return

    async def close(self) -> None:
        """Close the connections."""
        if self._own:
            await self._http.aclose()

    async def __aenter__(self) -> "IdentityOSAsync":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
