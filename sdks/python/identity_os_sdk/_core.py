"""What a guard decides and remembers, without a request: both guards play it, one synchronously, one awaited.

All methods take a lock for a moment and do no I/O. Callbacks and detectors are called here; what they raise is logged.
"""

import json
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal
from uuid import uuid4

from identity_os_sdk import models as m
from identity_os_sdk.errors import ConflictError, InvalidArgumentError, InvalidRequestError
from identity_os_sdk.models import RISKY_ACTIONS, SAFE_ACTIONS, Action, ActionName
from identity_os_sdk.observer import Event, Memory, Report, digest, observe, printed, rules_with
from identity_os_sdk.tools import ToolMap, ToolPolicy

logger = logging.getLogger("identity_os_sdk.guard")

#: Seconds after which a contract is read again, so that one process sees another's incident.
_FRESH: Final = 5.0
#: Seconds after which the last contract loses the risky four while the engine does not answer.
_TRUSTED: Final = 60.0
#: Seconds between two tries to reach an engine that did not answer.
_RETRY: Final = 5.0
#: Denials of one tool in a row that become a pause.
_DENIALS: Final = 3
#: Verdicts and attempts that are remembered.
_REMEMBERED: Final = 10_000

Decision = Literal["approve", "refuse"]
#: What callbacks hear of.
EVENTS: Final = ("verdict", "state", "stress", "denied", "paused", "rolled_back", "unreachable")


@dataclass(frozen=True)
class Verdict:
    """What a guard says of a call.

    `kind`: allow, deny, or pause: ask a person, then `approve` or `refuse` it by its `call_id`. `message` is the text for the
    model, empty when the call is allowed. `reason` says why, for people. `trace` is in the report of the call, too. `by` names
    the person who decided about a paused call.
    """

    kind: Literal["allow", "deny", "pause"]
    tool: str
    action: Action
    call_id: str
    message: str = ""
    reason: str = ""
    trace: str = ""
    by: str = ""

    @property
    def allowed(self) -> bool:
        """Whether the call may be made."""
        return self.kind == "allow"


@dataclass(frozen=True)
class Outgoing:
    """A report on its way to the engine. Urgent ones are awaited even where reports go out in the background."""

    instance_id: str
    report: Report
    context: Mapping[str, Any]
    key: str
    urgent: bool

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments of `engine.process`."""
        incident = {"severity": "incident"} if self.report.severity == "incident" else {}
        return {
            "mode_target": self.report.mode,
            "signal_strength": self.report.strength,
            "context": dict(self.context),
            "idempotency_key": self.key,
            **incident,
        }


@dataclass
class _Call:
    """One attempt of one call: what was said of it, and whether it is over. `seen`: nobody asked, it was made already."""

    verdict: Verdict
    attempt: int = 1
    arguments: str = ""
    shown: Any = None
    over: bool = False
    seen: bool = False


@dataclass
class _Tool:
    """Denials in a row of a tool, the contract at the first of them, and what a person allowed."""

    denials: int = 0
    basis: tuple[Any, ...] = ()
    calls: int = 0
    until: float = 0.0

    def granted(self) -> bool:
        """Whether a person allowed further calls."""
        return self.calls > 0 or self.until > time.monotonic()


def decision(value: Any) -> tuple[Decision, str]:
    """What a person decided, and who: from "approve", "refuse", a truth value, or {"decision": ..., "by": ...}.

    Whatever else it is, is a refusal: nothing runs because an answer was not understood.
    """
    by = "unknown"
    if isinstance(value, Mapping):
        by = str(value.get("by", by))
        value = value.get("decision", value.get("approved"))
    return ("approve" if value is True or (isinstance(value, str) and value.lower() == "approve") else "refuse"), by


#: What is known of an agent, and of no other: put away while everything is about another one.
_OF_ONE_AGENT: Final = (
    *("instance_id", "contract", "snapshot", "_answered_at"),
    *("_memory", "_calls", "_tools", "_incident"),
)


class Core:
    """See the module. One for each guard; an agent of a task borrows it."""

    MOST_WAITING = 1_000

    def __init__(
        self,
        instance_id: str,
        tools: Mapping[str, Action | ActionName | ToolPolicy],
        default: Action | ActionName,
        *,
        mode: str,
        on_unreachable: str,
        detectors: tuple[Callable[[str], Any], ...],
        record: str,
        run: str | None,
        fresh_reads: bool,
        rules: Mapping[str, float],
    ) -> None:
        choices = (
            ("mode", mode, ("enforce", "observe")),
            ("on_unreachable", on_unreachable, ("deny", "allow", "safe")),
            ("record", record, ("hashes", "arguments")),
        )
        for name, value, known in choices:
            if value not in known:
                raise InvalidArgumentError(f"{name}={value!r}: one of {', '.join(known)}")
        if not instance_id:
            raise InvalidArgumentError("instance_id is empty: give the agent's id, or use Guard.open with its name")
        self.instance_id, self.tools = instance_id, ToolMap(tools, default)
        self.run = run or uuid4().hex
        self.would_have: Counter[str] = Counter()
        self.contract = _placeholder()
        #: The state that this contract came with; None where the contract came without one.
        self.snapshot: m.Snapshot | None = None
        self._observe_only, self._on_unreachable = mode == "observe", on_unreachable
        self._detectors, self._record, self._fresh_reads = detectors, record, fresh_reads
        self._rules = rules_with(rules)
        self._lock = threading.RLock()
        self._callbacks: dict[str, list[Callable[[Mapping[str, Any]], None]]] = {}
        self._answered_at: float | None = None
        self._failed_at: float | None = None
        self._failure = ""
        self._waiting: deque[Outgoing] = deque()
        self._reset_memory()

    def _reset_memory(self) -> None:
        self._memory = Memory()
        self._calls: dict[str, _Call] = {}
        self._tools: dict[str, _Tool] = {}
        #: none, found (on its way to the engine), or young (the engine knows, and stress has not fallen below HIGH since)
        self._incident: Literal["none", "found", "young"] = "none"
        self._seen: dict[str, None] = getattr(self, "_seen", {})

    # What the engine says

    def wants_contract(self) -> bool:
        """Whether the contract should be read now."""
        now = time.monotonic()
        if self._failed_at is not None:
            return now - self._failed_at >= _RETRY
        return self._fresh_reads or self._answered_at is None or now - self._answered_at >= _FRESH

    def answered(self, contract: m.Contract, snapshot: m.Snapshot | None = None, *, rolled_back: bool = False) -> None:
        """The engine's contract is this. TypeError when it is none: what is no contract is no answer."""
        if not isinstance(contract, m.Contract):
            raise TypeError(f"{type(contract).__name__} is no contract")
        with self._lock:
            before, self.contract = self.contract, contract
            if snapshot is not None or contract != before:
                self.snapshot = snapshot
            known = self._answered_at is not None
            self._answered_at, self._failed_at = time.monotonic(), None
            if self._incident == "young" and contract.stress_state in ("LOW", "MED"):
                self._incident = "none"
            state = self.state()
        if "state" in self._callbacks:
            self._tell("state", state)
        if known and contract.stress_state != before.stress_state:
            self._tell("stress", {"before": before.stress_state, "after": contract.stress_state})
        if rolled_back:
            self._tell("rolled_back", {})

    def state(self) -> dict[str, Any]:
        """Stress, energy and trust as last known; empty before any answer. Strength and cycle come with answers to reports."""
        if self._answered_at is None:
            return {}
        now, snapshot = self.contract, self.snapshot
        state: dict[str, Any] = {"stress": now.stress_state, "energy": now.energy_level, "trust": now.trust}
        if snapshot is not None:
            strength = snapshot.mode_strengths.get(m.Mode.STRESS_RESPONSE.value)
            state |= {"stress_strength": strength, "cycle": snapshot.cycle}
        return state

    def unreachable(self, error: Exception) -> None:
        """The engine did not answer."""
        with self._lock:
            first = self._failed_at is None
            self._failure = printed(error)
            self._failed_at = time.monotonic()
        if first:
            logger.warning("the engine does not answer (%s); on_unreachable=%s decides", error, self._on_unreachable)
            self._tell("unreachable", {"error": str(error)})

    # Reports on their way

    def enqueue(self, reports: list[Outgoing]) -> None:
        """Put reports in line. A full line drops its oldest: an engine that is away for so long has missed the rest as well."""
        with self._lock:
            self._waiting.extend(reports)
            while len(self._waiting) > self.MOST_WAITING:
                dropped = self._waiting.popleft()
                logger.error("report dropped, %d wait already: %s", self.MOST_WAITING, dropped.report)

    def next_report(self) -> Outgoing | None:
        """The first in line; None when there is none, or when the engine failed a moment ago."""
        with self._lock:
            resting = self._failed_at is not None and time.monotonic() - self._failed_at < _RETRY
            return None if resting or not self._waiting else self._waiting[0]

    def delivered(self, report: Outgoing, processed: m.Processed) -> None:
        """The engine took a report."""
        self._drop(report)
        if report.report.severity == "incident":
            self._incident = "young"
        if report.instance_id == self.instance_id:
            self.answered(processed.contract, processed.snapshot, rolled_back=processed.drift.rolled_back)

    def rejected(self, report: Outgoing, error: Exception) -> bool:
        """The engine did not take a report. Whether the next one may be sent."""
        if isinstance(error, (InvalidRequestError, ConflictError)):
            self._drop(report)
            logger.error("report refused: %s", error)
            return True
        self.unreachable(error)
        return False

    def _drop(self, report: Outgoing) -> None:
        with self._lock:
            if self._waiting and self._waiting[0] is report:
                self._waiting.popleft()

    # What the agent does

    def before(
        self, name: str, args: Any, call_id: str | None, *, seen: bool = False, began: float | None = None
    ) -> tuple[Verdict, list[Outgoing]]:
        """The verdict on a call, and what to report of it. `seen`: it was made already, so that nothing can hold it.

        `began`: the moment at which the guard was asked, of `time.perf_counter`.
        """
        with self._lock:
            call_id = call_id or uuid4().hex
            known = self._calls.get(call_id)
            self._seen[name] = None
            if known is not None and not known.over:
                # A framework that calls twice, or runs a node again after an interrupt, gets what was said before.
                return known.verdict, []
            attempt = known.attempt + 1 if known else 1
            verdict = self._judge(name, call_id)
            shown = args if self._record == "arguments" else None
            # Arguments that nobody recorded are like no others.
            given = digest(call_id if seen and args is None else args)
            self._remember(call_id, _Call(verdict, attempt, given, shown, seen=seen))
            reports = self._denied(verdict) if verdict.kind == "deny" else []
            if verdict.allowed and name in self._tools and not self._tools[name].granted():
                del self._tools[name]
        if verdict.kind != "allow":
            self._tell("denied" if verdict.kind == "deny" else "paused", _about(verdict))
        would_have = ""
        if (self._observe_only or seen) and not verdict.allowed:
            would_have = verdict.kind
            self.would_have[verdict.kind] += 1
            self.would_have[name] += 1
            verdict = replace(verdict, kind="allow", message="")
            self._calls[call_id].verdict = verdict
            reports = []
        self._tell_verdict(verdict, would_have, None if began is None else time.perf_counter() - began)
        return verdict, reports

    def seen(
        self, name: str, args: Any, call_id: str, result: Any, error: Any, error_class: str | None, began: float
    ) -> list[Outgoing]:
        """What to report of a call that somebody else made. Nothing for one that was judged here: its adapter reports it."""
        if self.knows(call_id):
            return []
        self.before(name, args, call_id, seen=True, began=began)
        return self.after(name, call_id, result, error, error_class, seen=True)

    def after(
        self, name: str, call_id: str | None, result: Any, error: Any, error_class: str | None = None, *, seen: bool = False
    ) -> list[Outgoing]:
        """What to report of a call that ended. Nothing for one that was reported already, or that never ran."""
        with self._lock:
            known = self._calls.get(call_id) if call_id else None
            if known is not None and (known.over or not known.verdict.allowed):
                return []
            if known is None:
                call_id = call_id or uuid4().hex
                known = _Call(self._allow(name, call_id, "not asked"))
                self._remember(call_id, known)
            known.over = True
            tool = self.tools.action_of(name)
            text = None if error is None else printed(error) or type(error).__name__
            event = Event(
                "call",
                name,
                tool.action,
                tool.plan,
                known.arguments,
                digest(call_id if seen and result is None else result),
                text,
                None if error is None else error_class or _class_of(error),
            )
            reports = [self._report(event, call_id or "", known.attempt, self._context(event, known))]
        found = text if text is not None else "" if result is None else printed(result)
        return reports + self._detect(found, name, call_id or "", known.attempt)

    def said(self, kind: str, text: str, *, heated: bool = False) -> list[Outgoing]:
        """What to report of a message."""
        with self._lock:
            spoken = uuid4().hex
            event = Event("heated" if heated else kind)
            reports = [self._report(event, spoken, 1, {"said": kind, "message_hash": digest(text)})]
        return reports + self._detect(text, "", spoken, 1)

    def approve(self, call_id: str, by: str, calls: int, minutes: float | None) -> tuple[Verdict, list[Outgoing]]:
        """A person lets a paused call through. A call that nobody knows, or that did not pause, is denied."""
        with self._lock:
            known = self._paused(call_id)
            if known is not None:
                name = known.verdict.tool
                known.verdict = replace(self._allow(name, call_id, f"approved by {by}"), by=by)
                self._tools[name] = _Tool(calls=calls - 1, until=time.monotonic() + minutes * 60 if minutes else 0.0)
                event = Event("approved", name)
                context = {"tool": name, "outcome": "approved", "by": by, "trace": known.verdict.trace}
                verdict, reports = known.verdict, [self._report(event, f"{call_id}:approved", known.attempt, context)]
        if known is None:
            return self.broken("", call_id, "there is no paused call of this id"), []
        self._tell_verdict(verdict)
        return verdict, reports

    def refuse(self, call_id: str, by: str) -> Verdict:
        """A person refuses a paused call."""
        with self._lock:
            known = self._paused(call_id)
            if known is not None:
                name = known.verdict.tool
                self._tools.pop(name, None)
                message = f"{name} was refused by a person ({by}). Do not call it again for this; find another way or ask."
                known.verdict = replace(known.verdict, kind="deny", message=message, reason=f"refused by {by}", by=by)
                verdict = known.verdict
        if known is None:
            return self.broken("", call_id, "there is no paused call of this id")
        self._tell_verdict(verdict)
        return verdict

    def _paused(self, call_id: str) -> _Call | None:
        """A call that waits for a person."""
        known = self._calls.get(call_id)
        return known if known is not None and known.verdict.kind == "pause" and not known.over else None

    def waiting(self, call_id: str) -> str | None:
        """A verdict that waits for a person, or that a person decided, as text for another process; None for any other."""
        with self._lock:
            known = self._calls.get(call_id)
            if known is None or known.over or not (known.verdict.kind == "pause" or known.verdict.by):
                return None
            return json.dumps({"attempt": known.attempt, "arguments": known.arguments, "verdict": asdict(known.verdict)})

    def recall(self, call_id: str, text: str) -> None:
        """Take over what `waiting` wrote in another process."""
        kept = json.loads(text)
        verdict = Verdict(**kept["verdict"] | {"action": Action(kept["verdict"]["action"])})
        with self._lock:
            self._remember(call_id, _Call(verdict, kept["attempt"], kept["arguments"]))

    def knows(self, call_id: str | None) -> bool:
        """Whether this process has judged the call."""
        return not call_id or call_id in self._calls

    def was_asked(self, call_id: str) -> bool:
        """Whether this process was asked about the call before it was made. Adapters may put a conversation before the id."""
        end = f":{call_id}"
        with self._lock:
            return any(not call.seen and (known == call_id or known.endswith(end)) for known, call in self._calls.items())

    def broken(self, name: str, call_id: str | None, reason: str = "the guard failed") -> Verdict:
        """The denial of what could not be judged."""
        action = self.tools.action_of(name).action if name else Action.EXECUTE
        verdict = Verdict("deny", name, action, call_id or "", f"{name or 'The call'} is not allowed now: {reason}.", reason)
        self._tell_verdict(verdict)
        return verdict

    def prompt(self) -> str:
        """The contract as instructions, and the tools that are held now."""
        held = self.held(self._seen)
        lines = [self.contract.narrative_prompt]
        if held:
            lines.append(f"Tools that are held now: {', '.join(sorted(held))}.")
        return "\n".join(lines)

    def held(self, names: Iterable[str]) -> list[str]:
        """Those of the tools that the contract holds now."""
        return [name for name in names if not self._passes(self.tools.action_of(name).action)]

    def explain_tools(self, names: Iterable[str]) -> str:
        """See Guard.explain_tools."""
        known = sorted({*names, *self._seen, *self.tools.annotations})
        rows = [("tool", "action", "because of", "allowed now")]
        for name in known:
            tool = self.tools.action_of(name)
            rows.append((name, tool.action.value, tool.source, "yes" if self._passes(tool.action) else "no"))
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)

    def subscribe(self, event: str, callback: Callable[[Mapping[str, Any]], None]) -> None:
        """Call back on an event; InvalidArgumentError for one that there is not."""
        if event not in EVENTS:
            raise InvalidArgumentError(f"event {event!r}: one of {', '.join(EVENTS)}")
        self._callbacks.setdefault(event, []).append(callback)

    def begin_row(self, name: str, call_id: str) -> None:
        """Unless the tool's last call was the same as this one, a failure of this one is the first of a row."""
        with self._lock:
            known, call = self._memory.of(name), self._calls.get(call_id)
            if known and call and known.arguments != call.arguments:
                self._memory = self._memory.after(name, replace(known, failures=0))

    def begin_task(self) -> None:
        """A task begins with the same agent: rows of failures and repeats are those of the task before."""
        with self._lock:
            self._memory = self._memory.rested()

    @contextmanager
    def another_agent(self, instance_id: str) -> Iterator[None]:
        """Within the block everything is about another agent, which nobody knows anything of yet."""
        kept = {name: getattr(self, name) for name in _OF_ONE_AGENT}
        self.instance_id, self.contract, self.snapshot, self._answered_at = instance_id, _placeholder(), None, None
        self._reset_memory()
        try:
            yield
        finally:
            with self._lock:
                for name, value in kept.items():
                    setattr(self, name, value)

    # How a verdict is found

    def _judge(self, name: str, call_id: str) -> Verdict:
        tool, now = self.tools.action_of(name), self.contract
        action = tool.action
        trace = uuid4().hex[:16]

        def verdict(kind: Literal["deny", "pause"], reason: str, message: str) -> Verdict:
            return Verdict(kind, name, action, call_id, message, reason, trace)

        away = self._away()
        if away is not None and self._on_unreachable == "allow":
            return self._allow(name, call_id, f"the engine does not answer; on_unreachable=allow ({away:.0f} s)")
        if away is not None and self._on_unreachable == "deny":
            reason = "the engine does not answer, and on_unreachable=deny"
            return verdict("deny", reason, f"{name} is not allowed now: {reason}. Wait, or ask a person.")
        given = self._tools.get(name)
        if given is not None and given.granted() and not now.should_escalate:
            given.calls = max(given.calls - 1, 0)
            return self._allow(name, call_id, "a person allowed the next calls")
        held = tool.outside and self._incident != "none"
        if self._passes(action) and not held:
            return self._allow(name, call_id, "")
        if now.should_escalate and not held:
            reason = f"a human is needed: {now.escalation_reason}"
            return verdict("deny", reason, f"{name} is not allowed: {reason}. An operator decides by a reset of the agent.")
        if self._answered_at is None:
            why = f"the engine has not answered yet{f' ({self._failure})' if self._failure else ''}"
        elif held:
            why = "an incident is young, and this tool reaches outside"
        elif now.should_pause:
            why = f"the agent should pause: {now.pause_reason}"
        elif away is not None and action in RISKY_ACTIONS and self._expired():
            why = "the engine has not answered for a minute, so risky actions wait"
        else:
            why = f"{action.value} is not allowed while stress is {now.stress_state}"
        asked = self._tools.setdefault(name, _Tool())
        basis = (frozenset(now.allowed_actions), now.should_pause, now.should_escalate)
        if asked.basis != basis:
            asked.denials, asked.basis = 0, basis
        if now.should_pause or asked.denials >= _DENIALS:
            return verdict("pause", why, f"{name} waits for a person: {why}.")
        asked.denials += 1
        return verdict("deny", why, f"{name} is not allowed now: {why}. Prefer {', '.join(now.allowed_actions[:3])}.")

    def _passes(self, action: Action) -> bool:
        now = self.contract
        if action.value not in now.allowed_actions:
            return False
        if action in SAFE_ACTIONS:
            return True
        if now.should_pause or now.should_escalate:
            return False
        return not (action in RISKY_ACTIONS and self._away() is not None and self._expired())

    def _away(self) -> float | None:
        """Seconds since the engine answered last, None while it answers."""
        if self._failed_at is None:
            return None
        return time.monotonic() - (self._answered_at if self._answered_at is not None else self._failed_at)

    def _expired(self) -> bool:
        return self._answered_at is None or time.monotonic() - self._answered_at > _TRUSTED

    def _allow(self, name: str, call_id: str, reason: str) -> Verdict:
        return Verdict("allow", name, self.tools.action_of(name).action, call_id, "", reason, uuid4().hex[:16])

    # How a report is made

    def _denied(self, verdict: Verdict) -> list[Outgoing]:
        """The first denial in a row is a calm report: with none stress never falls, with one for each it could be bought."""
        if self._tools.get(verdict.tool, _Tool()).denials != 1:
            return []
        event = Event("denied", verdict.tool)
        context = {"tool": verdict.tool, "outcome": "denied", "reason": verdict.reason, "trace": verdict.trace}
        call = self._calls[verdict.call_id]
        return [self._report(event, f"{verdict.call_id}:denied", call.attempt, context)]

    def _detect(self, text: str, tool: str, call_id: str, attempt: int) -> list[Outgoing]:
        reports = []
        for number, detector in enumerate(self._detectors):
            try:
                hit = detector(text) if text else None
            except Exception:
                logger.exception("a detector failed")
                continue
            if not hit:
                continue
            name = getattr(detector, "__name__", type(detector).__name__)
            kind = "mild" if hit == "mild" else "detector"
            with self._lock:
                if kind == "detector":
                    self._incident = "found"
                context = {"detector": name, "tool": tool, "outcome": "incident" if kind == "detector" else "mild"}
                reports.append(self._report(Event(kind), f"{call_id}:{number}", attempt, context))
        return reports

    def _report(self, event: Event, call_id: str, attempt: int, context: Mapping[str, Any]) -> Outgoing:
        stressed = self.contract.stress_state != "LOW"
        self._memory, report = observe(self._memory, event, stressed, self._rules)
        key = digest([self.instance_id, self.run, call_id, attempt]) + digest([event.kind, call_id])
        urgent = report.mode is m.Mode.STRESS_RESPONSE
        return Outgoing(self.instance_id, report, {**context, "rule": report.rule}, key, urgent)

    def _context(self, event: Event, call: _Call) -> dict[str, Any]:
        context: dict[str, Any] = {
            "tool": event.tool,
            "action": event.action.value,
            "outcome": "worked" if event.error is None else "failed",
            "arguments_hash": event.arguments,
            "result_hash": event.result,
            "trace": call.verdict.trace,
        }
        if event.error_class is not None:
            context["error_class"] = event.error_class
        if call.shown is not None:
            context["arguments"] = printed(call.shown)[:2_000]
        return context

    def _remember(self, call_id: str, call: _Call) -> None:
        self._calls.pop(call_id, None)
        self._calls[call_id] = call
        while len(self._calls) > _REMEMBERED:
            del self._calls[next(iter(self._calls))]

    def _tell_verdict(self, verdict: Verdict, would_have: str = "", seconds: float | None = None) -> None:
        if "verdict" not in self._callbacks:
            return
        about = _about(verdict) | {"kind": verdict.kind, "trace": verdict.trace, "by": verdict.by}
        self._tell("verdict", about | {"would_have": would_have, "seconds": seconds})

    def _tell(self, event: str, about: Mapping[str, Any]) -> None:
        for callback in self._callbacks.get(event, []):
            try:
                callback({"event": event, "instance_id": self.instance_id, **about})
            except Exception:
                logger.exception("a callback failed")


def _class_of(error: Any) -> str:
    return type(error).__name__ if isinstance(error, BaseException) else "error"


def _about(verdict: Verdict) -> dict[str, Any]:
    return {"tool": verdict.tool, "action": verdict.action.value, "reason": verdict.reason, "call_id": verdict.call_id}


def _placeholder() -> m.Contract:
    """What holds before any answer: everything but the risky four."""
    risky = sorted(action.value for action in RISKY_ACTIONS)
    return m.Contract.model_validate(
        {
            "dominant_modes": [],
            "suppressed_modes": [],
            "allowed_actions": [action.value for action in Action if action not in RISKY_ACTIONS],
            "forbidden_actions": ["emotional_manipulation", "identity_override", *risky],
            "stress_state": "LOW",
            "system_state": "baseline",
            "energy_level": 0.0,
            "stability_index": 0.0,
            "should_pause": False,
            "pause_reason": None,
            "should_escalate": False,
            "escalation_reason": None,
            "max_steps_remaining": None,
            "trust": 0.0,
            "delegation_allowed": False,
            "max_delegation_complexity": None,
            "collaboration_style": "supervised",
            "verification_required": True,
            "preferred_actions": [],
            "discouraged_actions": [],
            "action_alignment": {},
            "decision_style": {
                "tempo": "measured",
                "risk": "averse",
                "expressiveness": "low",
                "commitment_threshold": "high",
            },
            "recovery_profile": {"preferred_path": "baseline", "support_required": False, "cooldown_required": False},
            "hard_locks": dict.fromkeys(
                (
                    *("option_set_max", "novelty_rate", "noise_filter_min"),
                    *("exec_strictness_min", "goal_resistance_min", "pivot_threshold_min"),
                )
            ),
            "narrative_prompt": "Take no risks until the guard has heard from its engine.",
        }
    )
