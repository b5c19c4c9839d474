"""The API's calls as values: the request, and how to read the response. Both clients use them."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from identity_os_sdk import models as m

T = TypeVar("T")
Row = TypeVar("Row", bound=BaseModel)


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request. `read` converts the response body to the result."""

    method: str
    path: str
    read: Callable[[Any], T]
    body: Mapping[str, Any] | None = None
    query: Mapping[str, Any] | None = None
    #: Of a POST; made anew for each call when it is None.
    idempotency_key: str | None = None


def _data(model: type[Row]) -> Callable[[Any], Row]:
    return lambda response: model.model_validate(response["data"])


def _page(model: type[Row]) -> Callable[[Any], m.Page[Row]]:
    page = m.Page[model]  # type: ignore[valid-type]
    return lambda response: page.model_validate(response)


def _without_none(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _path(instance_id: str, path: str = "") -> str:
    return f"/instances/{quote(instance_id, safe='')}{path}"


def observation(
    mode: m.Mode | str,
    strength: float,
    confidence: float | None,
    context: Mapping[str, Any] | None,
    timestamp: str | datetime | None,
    severity: m.Severity | None = None,
) -> dict[str, Any]:
    """An observation's body."""
    mode = mode.value if isinstance(mode, m.Mode) else mode
    context = None if context is None else dict(context)
    return _without_none(
        mode_target=mode,
        signal_strength=strength,
        confidence=confidence,
        severity=severity,
        context=context,
        timestamp=timestamp,
    )


def _rows(observations: Iterable[m.Observation | Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [o.body() if isinstance(o, m.Observation) else dict(o) for o in observations]


def create_instance(
    name: str,
    description: str | None,
    initial_config: Mapping[str, Any] | None,
    idempotency_key: str | None = None,
) -> Call[m.Instance]:
    """POST /instances."""
    body = _without_none(name=name, description=description, initial_config=initial_config)
    return Call("POST", "/instances", _data(m.Instance), body, idempotency_key=idempotency_key)


def list_instances(
    limit: int | None, offset: int | None, sort: str | None, order: str | None, name: str | None = None
) -> Call[m.Page[m.InstanceSummary]]:
    """GET /instances."""
    query = _without_none(limit=limit, offset=offset, sort=sort, order=order, name=name)
    return Call("GET", "/instances", _page(m.InstanceSummary), query=query)


def open_instance(name: str, initial_config: Mapping[str, Any] | None) -> Call[m.Instance]:
    """POST /instances under a key that follows from the name: two processes at once make one."""
    config = dict(initial_config or {})
    key = sha256(json.dumps(["open", name, config], sort_keys=True, default=str).encode()).hexdigest()
    return create_instance(name, None, config or None, key)


def get_instance(instance_id: str) -> Call[m.InstanceDetail]:
    """GET /instances/{id}."""
    return Call("GET", _path(instance_id), _data(m.InstanceDetail))


def update_instance(instance_id: str, name: str | None, description: str | None) -> Call[m.Instance]:
    """PATCH /instances/{id}."""
    return Call("PATCH", _path(instance_id), _data(m.Instance), _without_none(name=name, description=description))


def delete_instance(instance_id: str) -> Call[m.Deleted]:
    """DELETE /instances/{id}."""
    return Call("DELETE", _path(instance_id), _data(m.Deleted))


def process(instance_id: str, body: Mapping[str, Any], idempotency_key: str | None = None) -> Call[m.Processed]:
    """POST /instances/{id}/process."""
    return Call("POST", _path(instance_id, "/process"), _data(m.Processed), body, idempotency_key=idempotency_key)


def process_batch(
    instance_id: str, observations: Iterable[m.Observation | Mapping[str, Any]], include_intermediate: bool | None
) -> Call[m.BatchProcessed]:
    """POST /instances/{id}/process/batch."""
    body = _without_none(observations=_rows(observations), include_intermediate=include_intermediate)
    return Call("POST", _path(instance_id, "/process/batch"), lambda response: m.BatchProcessed.of(response["data"]), body)


def simulate(
    instance_id: str, observations: Iterable[m.Observation | Mapping[str, Any]], include_intermediate: bool | None
) -> Call[m.BatchProcessed]:
    """POST /instances/{id}/simulate."""
    body = _without_none(observations=_rows(observations), include_intermediate=include_intermediate)
    return Call("POST", _path(instance_id, "/simulate"), lambda response: m.BatchProcessed.of(response["data"]), body)


def get_snapshot(instance_id: str) -> Call[m.SnapshotDetail]:
    """GET /instances/{id}/snapshot."""
    return Call("GET", _path(instance_id, "/snapshot"), _data(m.SnapshotDetail))


def get_contract(instance_id: str, explain: bool | None, cycle: int | None = None) -> Call[m.Contract]:
    """GET /instances/{id}/contract."""
    explained = None if explain is None else "true" if explain else "false"
    query = _without_none(explain=explained, cycle=cycle) or None
    return Call("GET", _path(instance_id, "/contract"), _data(m.Contract), query=query)


def assess_goal(instance_id: str, complexity: str, required_modes: Iterable[m.Mode | str] | None) -> Call[m.GoalAssessment]:
    """POST /instances/{id}/goals/assess."""
    modes = None if required_modes is None else [str(getattr(mode, "value", mode)) for mode in required_modes]
    body = _without_none(complexity=complexity, required_modes=modes)
    return Call("POST", _path(instance_id, "/goals/assess"), _data(m.GoalAssessment), body)


def reset(instance_id: str, mode: str, note: str | None = None) -> Call[m.Reset]:
    """POST /instances/{id}/reset."""
    body = {"mode": mode} if note is None else {"mode": mode, "note": note}
    return Call("POST", _path(instance_id, "/reset"), _data(m.Reset), body)


def upgrade(instance_id: str, version: str | None, preview: bool, force: bool, note: str | None) -> Call[m.Upgrade]:
    """POST /instances/{id}/upgrade."""
    body = _without_none(engine_version=version, preview=preview, force=force or None, note=note)
    return Call("POST", _path(instance_id, "/upgrade"), _data(m.Upgrade), body)


def fork(instance_id: str, at_cycle: int, name: str) -> Call[m.InstanceDetail]:
    """POST /instances/{id}/fork."""
    return Call("POST", _path(instance_id, "/fork"), _data(m.InstanceDetail), {"at_cycle": at_cycle, "name": name})


def history(instance_id: str, limit: int | None, offset: int | None) -> Call[m.Page[m.HistoryRow]]:
    """GET /instances/{id}/history."""
    return Call("GET", _path(instance_id, "/history"), _page(m.HistoryRow), query=_without_none(limit=limit, offset=offset))


def timeline(instance_id: str, limit: int | None, before: int | None) -> Call[m.Page[m.TimelineRow]]:
    """GET /instances/{id}/timeline."""
    query = _without_none(limit=limit, before=before)
    return Call("GET", _path(instance_id, "/timeline"), _page(m.TimelineRow), query=query)


def drift(instance_id: str, limit: int | None, offset: int | None, level: str | None) -> Call[m.Page[m.DriftEvent]]:
    """GET /instances/{id}/drift."""
    query = _without_none(limit=limit, offset=offset, level=level)
    return Call("GET", _path(instance_id, "/drift"), _page(m.DriftEvent), query=query)


def audit(instance_id: str, limit: int | None, offset: int | None) -> Call[m.Page[m.AuditRecord]]:
    """GET /instances/{id}/audit."""
    return Call("GET", _path(instance_id, "/audit"), _page(m.AuditRecord), query=_without_none(limit=limit, offset=offset))


def verify(instance_id: str) -> Call[m.Verification]:
    """GET /instances/{id}/audit/verify."""
    return Call("GET", _path(instance_id, "/audit/verify"), _data(m.Verification))


def questions(version: str | None) -> Call[m.Questions]:
    """GET /test/questions."""
    return Call("GET", "/test/questions", _data(m.Questions), query=_without_none(version=version))


def submit_test(
    version: str, answers: Mapping[str, str], instance_id: str | None, instance_name: str | None
) -> Call[m.TestResult]:
    """POST /test/submit; creates an instance if `instance_name` is given."""
    responses = [{"question_id": question, "selected_option_id": option} for question, option in answers.items()]
    create = True if instance_name is not None else None
    target = _without_none(instance_id=instance_id, instance_name=instance_name, create_instance=create)
    return Call("POST", "/test/submit", _data(m.TestResult), {"version": version, "responses": responses} | target)


def list_personas() -> Call[m.Page[m.Persona]]:
    """GET /personas."""
    return Call("GET", "/personas", _page(m.Persona))


def get_persona(persona_id: str) -> Call[m.PersonaDetail]:
    """GET /personas/{id}."""
    return Call("GET", f"/personas/{quote(persona_id, safe='')}", _data(m.PersonaDetail))


def _webhook(webhook_id: str, path: str = "") -> str:
    return f"/webhooks/{quote(webhook_id, safe='')}{path}"


def create_webhook(
    url: str, types: Iterable[str] | None, description: str | None, idempotency_key: str | None = None
) -> Call[m.WebhookWithSecret]:
    """POST /webhooks."""
    body = _without_none(url=url, types=None if types is None else list(types), description=description)
    return Call("POST", "/webhooks", _data(m.WebhookWithSecret), body, idempotency_key=idempotency_key)


def list_webhooks() -> Call[m.Page[m.Webhook]]:
    """GET /webhooks: an account has ten at most, which are one page."""
    return Call("GET", "/webhooks", _page(m.Webhook), query={"limit": 100})


def get_webhook(webhook_id: str) -> Call[m.Webhook]:
    """GET /webhooks/{id}."""
    return Call("GET", _webhook(webhook_id), _data(m.Webhook))


def update_webhook(
    webhook_id: str, url: str | None, types: Iterable[str] | None, description: str | None, enabled: bool | None
) -> Call[m.Webhook]:
    """PATCH /webhooks/{id}."""
    chosen = None if types is None else list(types)
    body = _without_none(url=url, types=chosen, description=description, enabled=enabled)
    return Call("PATCH", _webhook(webhook_id), _data(m.Webhook), body)


def delete_webhook(webhook_id: str) -> Call[m.Deleted]:
    """DELETE /webhooks/{id}."""
    return Call("DELETE", _webhook(webhook_id), _data(m.Deleted))


def rotate_secret(webhook_id: str) -> Call[m.WebhookWithSecret]:
    """POST /webhooks/{id}/rotate."""
    return Call("POST", _webhook(webhook_id, "/rotate"), _data(m.WebhookWithSecret), {})


def test_webhook(webhook_id: str) -> Call[m.Queued]:
    """POST /webhooks/{id}/test."""
    return Call("POST", _webhook(webhook_id, "/test"), _data(m.Queued), {})


def list_deliveries(webhook_id: str, limit: int | None, offset: int | None) -> Call[m.Page[m.Delivery]]:
    """GET /webhooks/{id}/deliveries."""
    query = _without_none(limit=limit, offset=offset)
    return Call("GET", _webhook(webhook_id, "/deliveries"), _page(m.Delivery), query=query)


def redeliver(webhook_id: str, delivery_id: str) -> Call[m.Queued]:
    """POST /webhooks/{id}/deliveries/{id}/redeliver."""
    path = f"/deliveries/{quote(delivery_id, safe='')}/redeliver"
    return Call("POST", _webhook(webhook_id, path), _data(m.Queued), {})
