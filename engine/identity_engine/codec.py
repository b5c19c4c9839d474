"""State as canonical JSON text and back, without loss: what is stored, hashed and replayed.

Canonical: keys sorted, no spaces, floats in their shortest exact form, so that equal states give equal bytes.

>>> from identity_engine.values import birth
>>> decode(encode(birth())) == birth()
True
"""

import json
from dataclasses import fields
from hashlib import sha256
from typing import Any

from identity_engine.values import Drift, Profile, RestPoint, State

_encoder = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_STATE_FIELDS = tuple(field.name for field in fields(State))
_PARTS = {"profile": Profile, "stable": RestPoint, "drift": Drift}
_PART_FIELDS = {name: tuple(field.name for field in fields(part)) for name, part in _PARTS.items()}


def canonical(value: object) -> str:
    """Canonical JSON text of any JSON value. ValueError on NaN and infinities."""
    return _encoder.encode(value)


def encode(state: State) -> str:
    """A state as canonical JSON text."""
    document = {name: getattr(state, name) for name in _STATE_FIELDS}
    for name, names in _PART_FIELDS.items():
        part = document[name]
        document[name] = {field: getattr(part, field) for field in names}
    return canonical(document)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def decode(text: str) -> State:
    """The state that `encode` wrote. ValueError, KeyError or TypeError when the text is no state."""
    document = {name: _frozen(value) for name, value in json.loads(text).items()}
    for name, part in _PARTS.items():
        document[name] = part(**{field: _frozen(value) for field, value in document[name].items()})
    return State(**document)


def snapshot_id(encoded: str) -> str:
    """Content address of an encoded state: `snap_` and the first 16 hex digits of its SHA-256 (spec/api.md, Endpoints)."""
    return "snap_" + sha256(encoded.encode()).hexdigest()[:16]
