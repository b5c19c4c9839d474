"""State as canonical JSON text and back, without loss: what is stored, hashed and replayed.

Canonical: keys sorted, no spaces, floats in their shortest exact form, so that equal states give equal bytes. States of engine
1.0.0 are read too: what they lack starts empty, and what they hold under another name moves there.

>>> from identity_engine.state import birth
>>> decode(encode(birth())) == birth()
True
"""

import json
from dataclasses import fields
from hashlib import sha256
from typing import Any, Final

from identity_engine.chronic import Chronic
from identity_engine.config import CONFIG, ENGINE_VERSION
from identity_engine.drift import DriftState, RestPoint
from identity_engine.memory.chain import Memory
from identity_engine.memory.coherence import Coherence
from identity_engine.memory.episodic import Episodic
from identity_engine.memory.growth import Growth
from identity_engine.memory.narrative import Narrative
from identity_engine.memory.self_model import SelfModel
from identity_engine.state import State
from identity_engine.values import Drift, Profile
from identity_engine.vocabulary import STRESS_RESPONSE
from identity_engine.volatility import Volatility

#: Versions whose states `decode` reads; the last one is this engine's.
READABLE: Final = ("1.0.0", ENGINE_VERSION)

_encoder = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)

#: Which fields of which class hold further classes.
_PARTS: Final[dict[type, dict[str, type]]] = {
    State: {"profile": Profile, "drift": DriftState, "memory": Memory, "volatility": Volatility, "chronic": Chronic},
    DriftState: {"rest": RestPoint, "last": Drift},
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
    """The state in a parsed document, which is used up: for callers with a faster parser.

    KeyError or TypeError if the document is no state, ValueError if an engine wrote it whose states are not `READABLE`.
    """
    version = document["engine_version"]
    if version not in READABLE:
        raise ValueError(f"a state of engine {version}; this is engine {ENGINE_VERSION}, which reads {', '.join(READABLE)}")
    if version == "1.0.0":
        _migrate_1_0_0(document)
    state: State = _built(State, document)
    return state


def _migrate_1_0_0(document: dict[str, Any]) -> None:
    """1.0.0 had drift's memory in the state itself, and neither youth nor volatility nor chronic stress.

    Who was anchored is young again for 100 reports: anchors of 1.0.0 are of another kind, and the next one is set then.
    """
    rest, anchor = document.pop("stable"), document.pop("anchor")
    # An anchor of 1.0.0 held the bias-corrected strengths; stress has no place in one any more.
    anchors = [anchor, rest["anchor"]]
    anchor, rest["anchor"] = (each and [*each[:STRESS_RESPONSE], 0.0] for each in anchors)
    document["drift"] = {
        "rest": rest,
        "anchor": anchor,
        "youth": CONFIG.youth_reports,
        "distances": document.pop("distances"),
        "rollbacks": document.pop("strikes"),
        "last_rollback": document.pop("last_strike"),
        "last": document["drift"],
    }
    document["exhausted_streak"] = document.pop("empty_streak")
    document["volatility"], document["chronic"] = {}, {}
    document["engine_version"] = ENGINE_VERSION


def _built(owner: type, document: dict[str, Any]) -> Any:
    for name, part in _PARTS.get(owner, _NO_PARTS).items():
        document[name] = _built(part, document[name])
    for name, value in document.items():
        if type(value) is list:
            document[name] = tuple(value)
    return owner(**document)


def snapshot_id(encoded: str) -> str:
    """Content address of an encoded state: `snap_` and the first 16 hex digits of its SHA-256 (docs/api.md, "Endpoints")."""
    return "snap_" + sha256(encoded.encode()).hexdigest()[:16]
