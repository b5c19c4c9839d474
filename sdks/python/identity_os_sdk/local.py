"""LocalEngine: the engine in this process, over one SQLite file. No server, no key, no limits, no network.

The same observations give the same contracts as the API. What it lacks: an audit trail that proves itself, accounts, limits,
history beyond the last contract. Needs the extra `local`, which installs the engine's own wheel.

Two processes may share the file. A report is in the file before `process` returns: a killed process loses none that was
acknowledged (a power failure may lose the last ones).
"""

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from identity_os_sdk import models as m
from identity_os_sdk.errors import ConfigurationError, ConnectionFailedError, InvalidArgumentError

try:
    import identity_engine as engine
except ImportError as error:
    raise ConfigurationError("LocalEngine needs the engine: pip install 'identity-os-sdk[local]'") from error

logger = logging.getLogger("identity_os_sdk.local")

#: Keys of reports that are kept for each agent, so that a report that is sent twice counts once.
_KEYS = 10_000
#: Agents that are kept decoded.
_AGENTS = 256

_SCHEMA = """
CREATE TABLE IF NOT EXISTS agents (id TEXT PRIMARY KEY, name TEXT UNIQUE, config TEXT NOT NULL, state TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS reports (
    agent TEXT NOT NULL, key TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (agent, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS verdicts (
    agent TEXT NOT NULL, key TEXT NOT NULL, verdict TEXT NOT NULL, PRIMARY KEY (agent, key)
) WITHOUT ROWID;
"""


class LocalEngine:
    """The engine over one SQLite file; ":memory:" keeps everything in this process. Safe to share between threads.

    `profile`: of agents that are born at their first use, as in `initial_config` of the API. `timeout`: seconds to wait for
    another process that writes.
    """

    is_local = True

    def __init__(self, path: str, profile: Mapping[str, Any] | None = None, *, timeout: float = 5.0) -> None:
        self._lock = threading.RLock()
        self._profile = dict(profile or {})
        self._cache: dict[str, _Known] = {}
        # Transactions are begun by hand: sqlite3's own begin too late to keep another writer out between read and write.
        try:
            self._db = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise ConfigurationError(f"{path}: {error}") from error
        self._set_up(time.monotonic() + timeout)

    def _set_up(self, deadline: float) -> None:
        """Make the file ready. SQLite's own timeout does not cover a change of the journal mode, so two processes that begin at
        once are kept apart here.
        """
        while True:
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = NORMAL")
                self._db.executescript(_SCHEMA)
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise ConnectionFailedError(f"the file cannot be opened: {error}") from error
                time.sleep(0.01)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def __enter__(self) -> "LocalEngine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self, name: str, config: Mapping[str, Any] | None = None) -> str:
        """Id of the agent of that name, which is born with `config` (profile, persona_id) if there is none."""
        with self._transaction():
            row = self._db.execute("SELECT id FROM agents WHERE name = ?", (name,)).fetchone()
            if row is not None:
                return str(row[0])
            instance_id = f"inst_{uuid4().hex[:16]}"
            self._birth(instance_id, {"profile": self._profile, **(config or {})}, name)
            return instance_id

    def find(self, name: str) -> str | None:
        """Id of the agent of that name, None when there is none."""
        with self._lock:
            row = self._db.execute("SELECT id FROM agents WHERE name = ?", (name,)).fetchone()
        return row and str(row[0])

    def born_like(self, _task: str, config: Mapping[str, Any] | None = None) -> str:
        """Id of a new agent for a task, born with `config` as in `open`."""
        with self._transaction():
            instance_id = f"inst_{uuid4().hex[:16]}"
            self._birth(instance_id, {"profile": self._profile, **(config or {})}, None)
            return instance_id

    def process(
        self,
        instance_id: str,
        mode_target: m.Mode | str,
        signal_strength: float,
        confidence: float | None = None,
        context: Mapping[str, Any] | None = None,  # noqa: ARG002 - the API's signature; nothing is kept of it here
        timestamp: str | None = None,  # noqa: ARG002
        severity: m.Severity | None = None,
        idempotency_key: str | None = None,
    ) -> m.Processed:
        """Report what the agent just did, get what it may do now. A report whose key is known changes nothing."""
        observation = _observation(mode_target, signal_strength, confidence, severity)
        with self._transaction():
            known = self._load(instance_id)
            if idempotency_key is not None and not self._is_new(instance_id, idempotency_key, known.state.cycle):
                logger.warning("report %s was processed before; nothing changed", idempotency_key)
                return known.processed(instance_id)
            state, _ = engine.process(known.state, observation)
            known = self._store(instance_id, state)
        return known.processed(instance_id)

    def get_contract(self, instance_id: str, explain: bool | None = None) -> m.Contract:
        """What the agent may do now; with `explain`, why."""
        known = self._read(instance_id)
        if not explain:
            return known.contract()
        view = engine.contract_view(engine.contract(known.state))
        return m.Contract.model_validate(view | {"explanation": engine.explanation_view(known.state)})

    def get_snapshot(self, instance_id: str) -> m.Snapshot:
        """The agent's state."""
        return self._read(instance_id).snapshot(instance_id)

    def assess_goal(self, instance_id: str, complexity: str, required_modes: Any = None) -> m.GoalAssessment:
        """Whether to take on a goal now. `complexity`: low, medium, high or critical."""
        if complexity not in engine.COMPLEXITIES:
            raise InvalidArgumentError(f"complexity {complexity!r}: one of {', '.join(engine.COMPLEXITIES)}")
        modes = [_mode(mode) for mode in required_modes or ()]
        return m.GoalAssessment.model_validate(
            engine.goal_view(engine.assess_goal(self._read(instance_id).state, complexity, modes))
        )

    def reset(self, instance_id: str, mode: m.ResetMode, note: str | None = None) -> m.Reset:  # noqa: ARG002 - no audit trail
        """Reset the agent: initial, last_stable, default or rebaseline."""
        if mode not in engine.RESETS:
            raise InvalidArgumentError(f"reset {mode!r}: one of {', '.join(engine.RESETS)}")
        with self._transaction():
            state = engine.reset(self._load(instance_id).state, mode)
            self._store(instance_id, state)
        view = engine.snapshot_view(state)
        shown = {name: view[name] for name in ("cycle", "energy_level", "stress_state")}
        return m.Reset.model_validate({"id": instance_id, "reset_to": mode, **shown})

    def keep_verdict(self, instance_id: str, key: str, verdict: str) -> None:
        """Keep a guard's verdict that waits for a person, for the process that goes on."""
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?)", (instance_id, key, verdict))

    def kept_verdict(self, instance_id: str, key: str) -> str | None:
        """A verdict that was kept, None when there is none."""
        with self._lock:
            row = self._db.execute("SELECT verdict FROM verdicts WHERE agent = ? AND key = ?", (instance_id, key)).fetchone()
        return row and str(row[0])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield
                except BaseException:
                    self._db.execute("ROLLBACK")
                    raise
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                raise ConnectionFailedError(f"the file does not answer: {error}") from error

    def _read(self, instance_id: str) -> "_Known":
        with self._lock:
            row = self._db.execute("SELECT state FROM agents WHERE id = ?", (instance_id,)).fetchone()
            if row is not None:
                return self._known(instance_id, row[0])
        with self._transaction():
            return self._load(instance_id)

    def _load(self, instance_id: str) -> "_Known":
        row = self._db.execute("SELECT state FROM agents WHERE id = ?", (instance_id,)).fetchone()
        return self._known(instance_id, row[0]) if row else self._birth(instance_id, {"profile": self._profile}, None)

    def _known(self, instance_id: str, text: str) -> "_Known":
        """The agent of this text: what this process has read of it already, unless another process has written since."""
        known = self._cache.get(instance_id)
        if known is None or known.text != text:
            known = self._keep(instance_id, _Known(text, engine.decode(text)))
        return known

    def _keep(self, instance_id: str, known: "_Known") -> "_Known":
        self._cache.pop(instance_id, None)
        self._cache[instance_id] = known
        while len(self._cache) > _AGENTS:
            del self._cache[next(iter(self._cache))]
        return known

    def _birth(self, instance_id: str, config: Mapping[str, Any], name: str | None) -> "_Known":
        state = _born(config)
        known = _Known(engine.encode(state), state)
        row = (instance_id, name, json.dumps(config), known.text)
        self._db.execute("INSERT INTO agents (id, name, config, state) VALUES (?, ?, ?, ?)", row)
        return self._keep(instance_id, known)

    def _store(self, instance_id: str, state: Any) -> "_Known":
        known = _Known(engine.encode(state), state)
        self._db.execute("UPDATE agents SET state = ? WHERE id = ?", (known.text, instance_id))
        return self._keep(instance_id, known)

    def _is_new(self, instance_id: str, key: str, cycle: int) -> bool:
        added = self._db.execute("INSERT OR IGNORE INTO reports VALUES (?, ?, ?)", (instance_id, key, cycle)).rowcount
        if added and cycle % 1_000 == 0:
            self._db.execute("DELETE FROM reports WHERE agent = ? AND number < ?", (instance_id, cycle - _KEYS))
        return bool(added)


class _Known:
    """An agent as it stands in the file, and what was answered of it."""

    def __init__(self, text: str, state: Any) -> None:
        self.text, self.state = text, state
        self._contract: m.Contract | None = None

    def contract(self) -> m.Contract:
        """Its contract, built once."""
        if self._contract is None:
            self._contract = m.Contract.model_validate(engine.contract_view(engine.contract(self.state)))
        return self._contract

    def snapshot(self, instance_id: str) -> m.Snapshot:
        """Its snapshot, with the same content-addressed id as the API gives it."""
        view = {"id": engine.snapshot_id(self.text), "instance_id": instance_id, **engine.snapshot_view(self.state)}
        return m.Snapshot.model_validate(view)

    def processed(self, instance_id: str) -> m.Processed:
        """The answer to its last report."""
        drift = m.Drift.model_validate(engine.drift_view(self.state.drift.last))
        return m.Processed(snapshot=self.snapshot(instance_id), contract=self.contract(), drift=drift)


def _mode(mode: m.Mode | str) -> int:
    name = str(getattr(mode, "value", mode)).lower()
    if name not in engine.MODE_INDEX:
        raise InvalidArgumentError(f"mode {mode!r}: one of {', '.join(engine.MODE_CONSTANTS)}")
    return int(engine.MODE_INDEX[name])


def _observation(mode: m.Mode | str, signal: float, confidence: float | None, severity: str | None) -> Any:
    index, sure = _mode(mode), 1.0 if confidence is None else confidence
    for what, value in (("signal_strength", signal), ("confidence", sure)):
        if not 0 <= value <= 1:
            raise InvalidArgumentError(f"{what} {value!r}: a number from 0 to 1")
    incident = severity == "incident"
    if severity not in (None, *engine.SEVERITIES) or (incident and engine.MODES[index] != "stress_response"):
        raise InvalidArgumentError(f"severity {severity!r}: normal, or incident with STRESS_RESPONSE alone")
    return engine.Observation(index, float(signal), float(sure), incident)


def _born(config: Mapping[str, Any]) -> Any:
    given = dict(config.get("profile") or {})
    persona = None
    if "persona_id" in config:
        persona = engine.PERSONA_BY_ID.get(config["persona_id"])
        if persona is None:
            raise ConfigurationError(f"no persona {config['persona_id']!r}")
    for name in ("core_modes", "suppressed_modes"):
        if name in given:
            given[name] = tuple(sorted({_mode(mode) for mode in given[name]}))
    base = persona.profile if persona else engine.Profile()
    unknown = set(given) - set(engine.Profile.__slots__)
    if unknown:
        raise ConfigurationError(f"unknown profile fields: {', '.join(sorted(unknown))}")
    profile = engine.Profile(**{name: given.get(name, getattr(base, name)) for name in engine.Profile.__slots__})
    return engine.birth(profile, persona.mode_profile if persona else engine.birth().strengths)
