"""State as canonical JSON text and back, without loss: what is stored, hashed and replayed.

Canonical: keys sorted, no spaces, floats in their shortest exact form, so that equal states give equal bytes.

>>> from identity_engine.state import birth
>>> decode(encode(birth())) == birth()
True
"""

import json
from dataclasses import fields
from hashlib import sha256
from typing import Any, Final

from identity_engine.memory.chain import Memory
from identity_engine.memory.coherence import Coherence
from identity_engine.memory.episodic import Episodic
from identity_engine.memory.growth import Growth
from identity_engine.memory.narrative import Narrative
from identity_engine.memory.self_model import SelfModel
from identity_engine.state import RestPoint, State
from identity_engine.values import Drift, Profile

_encoder = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)

#: Which fields of which class hold further classes.
_PARTS: Final[dict[type, dict[str, type]]] = {
    State: {"profile": Profile, "stable": RestPoint, "drift": Drift, "memory": Memory},
    Memory: {
        "episodic": Episodic,
        "growth": Growth,
        "self_model": SelfModel,
        "coherence": Coherence,
        "narrative": Narrative,
    },
}
_NO_PARTS: Final[dict[str, type]] = {}
_FIELDS: Final[dict[type, tuple[str, ...]]] = {
    owner: tuple(field.name for field in fields(owner))
    for owner in {*_PARTS, *(part for parts in _PARTS.values() for part in parts.values())}
}


def canonical(value: object) -> str:
    """Canonical JSON text of any JSON value. ValueError on NaN and infinities."""
    return _encoder.encode(value)


def encode(state: State) -> str:
    """A state as canonical JSON text."""
    return canonical(_plain(state))


def _plain(value: Any) -> dict[str, Any]:
    owner = type(value)
    plain = {name: getattr(value, name) for name in _FIELDS[owner]}
    for name in _PARTS.get(owner, _NO_PARTS):
        plain[name] = _plain(plain[name])
    return plain


def decode(text: str) -> State:
    """The state that `encode` wrote. ValueError, KeyError or TypeError when the text is no state."""
    return restore(json.loads(text))


def restore(document: dict[str, Any]) -> State:
    """The state in a parsed document, which is used up: for callers with a faster parser. KeyError or TypeError if none."""
    state: State = _built(State, document)
    return state


def _built(owner: type, document: dict[str, Any]) -> Any:
    for name, part in _PARTS.get(owner, _NO_PARTS).items():
        document[name] = _built(part, document[name])
    for name, value in document.items():
        if type(value) is list:
            document[name] = tuple(value)
    return owner(**document)


def snapshot_id(encoded: str) -> str:
    """Content address of an encoded state: `snap_` and the first 16 hex digits of its SHA-256 (spec/api.md, Endpoints)."""
    return "snap_" + sha256(encoded.encode()).hexdigest()[:16]
