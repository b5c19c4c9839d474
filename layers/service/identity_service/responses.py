"""Response data of instances, webhooks and personas. `response_models` describes the same shapes for the OpenAPI document."""

from typing import Any

from identity_engine import MODE_TITLES, Persona, mode_map
from identity_service.clock import iso
from identity_service.cycles import current_snapshot
from identity_service.store.dynamodb import Item
from identity_service.store.instances import Head


def instance_response(head: Head) -> dict[str, Any]:
    """An instance in the responses to create and update."""
    return {
        "id": head.id,
        "name": head.name,
        "description": head.description,
        "created_at": head.created_at,
        "updated_at": head.updated_at,
    }


def instance_detail_response(head: Head) -> dict[str, Any]:
    """An instance with its current state."""
    view = current_snapshot(head)
    current = {name: view[name] for name in ("energy_level", "stress_state", "stability_index")}
    origin = {"forked_from": head.forked_from} if head.forked_from else {}
    return instance_response(head) | {"cycle_count": head.seq, "engine_version": head.engine_version} | current | origin


def instance_row_response(row: Item) -> dict[str, Any]:
    """An instance in a list."""
    fields = {name: row[name] for name in ("id", "name", "description", "created_at")}
    return fields | {"cycle_count": row["seq"], "energy_level": float(row["energy_level"])}


def webhook_response(hook: Item) -> dict[str, Any]:
    """A webhook, without its secret."""
    since = hook.get("failing_since")
    return {
        "id": hook["id"],
        "url": hook["url"],
        "types": [] if hook["types"] == "*" else hook["types"].split(","),
        "description": hook["description"],
        "enabled": bool(hook["enabled"]),
        "disabled_reason": None if hook["enabled"] else hook.get("disabled_reason"),
        "failing_since": None if since is None else iso(since),
        "created_at": hook["created_at"],
    }


def delivery_response(sent: Item) -> dict[str, Any]:
    """A delivery in a list."""
    return {
        "id": sent["id"],
        "type": sent["type"],
        "created_at": sent["at"],
        "status": sent["status"],
        "attempts": sent["attempts"],
        "response_status": sent["code"] or None,
        "milliseconds": sent["milliseconds"],
        "response": sent["answer"],
        "tried_at": sent["tried_at"],
    }


def persona_response(persona: Persona) -> dict[str, Any]:
    """A persona in a list."""
    return {
        "id": persona.id,
        "name": persona.name,
        "archetype": persona.archetype,
        "description": persona.description,
        "dominant_modes": [MODE_TITLES[mode] for mode in persona.profile.core_modes],
        "mode_profile": mode_map(persona.mode_profile),
        "core_values": persona.core_values,
        "decision_style": persona.decision_style,
    }


def persona_detail_response(persona: Persona) -> dict[str, Any]:
    """A persona in full."""
    return persona_response(persona) | {
        "long_description": persona.long_description,
        "preferred_actions": persona.preferred_actions,
        "stress_recovery": persona.stress_recovery,
    }
