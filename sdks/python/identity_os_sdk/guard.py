"""The guard: stands between an agent and its tools, reports what happens, and holds what the contract holds.

guard = Guard(client.engine, instance.id, tools={"search_*": "explore", "refund": "execute"})
verdict = guard.before_tool("refund", {"order": 7}, call_id="c1")
if verdict.allowed:
    ...                                   # run the tool
    guard.after_tool("refund", "c1", result=...)
else:
    ...                                   # give verdict.message to the model

`Guard` is for synchronous code, `GuardAsync` has the same methods to be awaited. Neither ever raises into a framework: what
breaks inside is a denial or a line in the log. What both decide stands in `_core`; here are the requests and their failures.
"""

import asyncio
import inspect
import logging
import queue
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from time import perf_counter
from typing import Any, Literal

from identity_os_sdk import models as m
from identity_os_sdk._core import Core, Outgoing, Verdict, decision
from identity_os_sdk.errors import ConfigurationError
from identity_os_sdk.models import Action, ActionName
from identity_os_sdk.tools import ToolAction, ToolPolicy

__all__ = ["Guard", "GuardAsync", "Verdict", "decision"]

logger = logging.getLogger("identity_os_sdk.guard")

Tools = Mapping[str, Action | ActionName | ToolPolicy]
Detector = Callable[[str], Any]
TaskPolicy = Literal["fresh", "carry", "none"]


class _Shared:
    """What both guards offer without a request."""

    core: Core
    engine: Any
    name: str

    @property
    def contract(self) -> m.Contract:
        """The contract as last known. Before any answer it is a placeholder without the risky four."""
        return self.core.contract

    @property
    def instance_id(self) -> str:
        """The agent that reports go to."""
        return self.core.instance_id

    @property
    def run(self) -> str:
        """Name of this run: part of each report's Idempotency-Key. Set it to the framework's thread id where it has one."""
        return self.core.run

    @run.setter
    def run(self, value: str) -> None:
        self.core.run = value

    @property
    def would_have(self) -> Counter[str]:
        """In observe mode: how often a call would have been denied or paused, by kind and by tool."""
        return self.core.would_have

    def on(self, event: str, callback: Callable[[Mapping[str, Any]], None]) -> None:
        """Call back on an event; what a callback raises is logged.

        `verdict` (each one, of allowed calls too), `state` (each answer of the engine), `stress`, `denied`, `paused`,
        `rolled_back`, `unreachable`.
        """
        self.core.subscribe(event, callback)

    def prompt(self) -> str:
        """A few lines for the system prompt: the contract as instructions, and the tools that are held now.

        Reads the contract first where that needs no awaiting, so that the first prompt is the agent's own.
        """
        self._read_first()
        return self.core.prompt()

    def _read_first(self) -> None:
        """Read the contract if it is old."""

    def annotate(self, name: str, annotations: Mapping[str, Any]) -> None:
        """Tell the MCP annotations of a tool (readOnlyHint, openWorldHint, destructiveHint). A title alone says nothing."""
        self.core.tools.annotations[name] = annotations

    def explain_tools(self, names: Iterable[str] = ()) -> str:
        """A table of the named tools, and of those seen so far: the action each needs, and what says so."""
        return self.core.explain_tools(names)

    def tool_action(self, name: str) -> ToolAction:
        """The action that a tool needs, and what says so."""
        return self.core.tools.action_of(name)

    def refuse(self, call_id: str, by: str) -> Verdict:
        """A person refuses a paused call. The verdict's message tells the model."""
        try:
            with self._kept(call_id):
                return self.core.refuse(call_id, by)
        except Exception:
            logger.exception("the guard failed; the call is denied")
            return self.core.broken("", call_id)

    def _after(self, name: str, call_id: str | None, result: Any, error: Any) -> list[Outgoing]:
        with self._kept(call_id):
            return self.core.after(name, call_id, result, error)

    @contextmanager
    def _kept(self, call_id: str | None) -> Iterator[None]:
        """Around a decision: a verdict that waits is kept where the engine is, if it can, so that another process can go on."""
        store = self.engine if hasattr(self.engine, "kept_verdict") else None
        if store is None or not call_id:
            yield
            return
        key = f"{self.run}:{call_id}"
        if not self.core.knows(call_id):
            text = store.kept_verdict(self.instance_id, key)
            if text is not None:
                self.core.recall(call_id, text)
        yield
        text = self.core.waiting(call_id)
        if text is not None:
            store.keep_verdict(self.instance_id, key, text)


class Guard(_Shared):
    """Guards one agent's tools. Safe to share between threads.

    `engine`: `client.engine`, or a `LocalEngine`. `tools`: patterns (fnmatch) to the action that a tool needs, or a ToolPolicy.
    `default`: the action of a tool that no pattern, annotation or verb tells; execute if it is not given.
    `mode`: enforce, or observe, which lets all through and counts in `would_have`.
    `on_unreachable`: what holds while the engine does not answer. safe: the last contract, without the risky four once it is
    older than a minute. deny: nothing, not even reads. allow: everything.
    `detectors` are called with each tool result and message as text. What they answer, if it is true, is an incident; the word
    "mild" is a mild report.
    `report`: await, or background, which leaves the contract one step behind; failures and incidents are awaited even then.
    `record`: "arguments" puts arguments into the context of reports; without it only hashes leave this process.
    `rules`: strengths of the observer's table that are other than its own, 0..1, by the names of its rows.
    `telemetry`: write OpenTelemetry spans and metrics, as `identity_os_sdk.telemetry.instrument` does.
    """

    def __init__(
        self,
        engine: Any,
        instance_id: str,
        tools: Tools | None = None,
        default: Action | ActionName | None = None,
        *,
        mode: Literal["enforce", "observe"] = "enforce",
        on_unreachable: Literal["deny", "allow", "safe"] = "safe",
        detectors: Iterable[Detector] = (),
        report: Literal["await", "background"] = "await",
        record: Literal["hashes", "arguments"] = "hashes",
        run: str | None = None,
        rules: Mapping[str, float] | None = None,
        telemetry: bool = False,
    ) -> None:
        if not hasattr(engine, "process"):
            raise ConfigurationError("engine is client.engine, or a LocalEngine")
        self.engine = engine
        #: The name that it was opened with, else the agent's id.
        self.name = instance_id
        self.core = Core(
            instance_id,
            tools or {},
            default or Action.EXECUTE,
            mode=mode,
            on_unreachable=on_unreachable,
            detectors=tuple(detectors),
            record=record,
            run=run,
            fresh_reads=bool(getattr(engine, "is_local", False)),
            rules=rules or {},
        )
        self._birth: Callable[[str], str] | None = getattr(engine, "born_like", None)
        self._sending = threading.Lock()
        self._background: queue.Queue[None] | None = None
        if report == "background":
            self._background = queue.Queue(maxsize=self.core.MOST_WAITING)
            threading.Thread(target=self._work, name="identity-os-reports", daemon=True).start()
        if telemetry:
            # Only here: the SDK does not depend on opentelemetry-api.
            from identity_os_sdk.telemetry import instrument

            instrument(self)

    @classmethod
    def open(
        cls,
        client: Any,
        name: str,
        *,
        profile: Mapping[str, Any] | None = None,
        persona: str | None = None,
        tools: Tools | None = None,
        **options: Any,
    ) -> "Guard":
        """The guard of the agent of that name, which is made if there is none. Two processes at once make one.

        `client`: an IdentityOS, or a LocalEngine. `profile` and `persona` are of the agent that is made.
        """
        config = {key: value for key, value in (("profile", profile), ("persona_id", persona)) if value is not None}
        if not (getattr(client, "is_local", False) or hasattr(client, "instances")):
            raise ConfigurationError("Guard.open takes an IdentityOS (not its engine), or a LocalEngine")
        if getattr(client, "is_local", False):
            local = cls(client, client.open(name, config), tools, **options)
            local.name = name
            local._birth = lambda task: str(client.born_like(task, config))
            return local
        guard = cls(client.engine, client.instances.open(name, config).id, tools, **options)
        guard.name = name
        guard._birth = lambda task: str(client.instances.create(f"{name}: {task}"[:100], initial_config=config or None).id)
        return guard

    def _read_first(self) -> None:
        self._quietly(self._refresh)

    def asynchronous(self) -> "GuardAsync":
        """The same guard, to be awaited: both share everything that they know."""
        return GuardAsync._over(self)

    def before_tool(self, name: str, args: Any = None, call_id: str | None = None) -> Verdict:
        """Whether a call may be made. Makes no request unless the contract is older than 5 s."""
        began = perf_counter()
        return self._decide(lambda: self.core.before(name, args, call_id, began=began), name, call_id)

    def after_tool(self, name: str, call_id: str | None = None, result: Any = None, error: Any = None) -> None:
        """Report how a call ended: `error` is the exception or its text, None when the call worked."""
        self._quietly(lambda: self._deliver(self._after(name, call_id, result, error)))

    def saw_tool(
        self, name: str, args: Any, call_id: str, result: Any = None, error: Any = None, error_class: str | None = None
    ) -> None:
        """Report a call that somebody else made and that is over. It cannot be held; `would_have` counts what would have been.

        `args` and `result` are None where nobody recorded them. `error_class`: the exception's class, where `error` is a text.
        """
        began = perf_counter()
        self._quietly(self._refresh)
        self._quietly(lambda: self._deliver(self.core.seen(name, args, call_id, result, error, error_class, began)))

    def user_said(self, text: str, *, heated: bool = False) -> None:
        """Report a message from a person. `heated`: an insult or a threat, if you can tell."""
        self._quietly(lambda: self._deliver(self.core.said("message", text, heated=heated)))

    def agent_said(self, text: str, *, refusing: bool = False) -> None:
        """Report a message of the agent. `refusing`: it refuses, or cites a policy."""
        self._quietly(lambda: self._deliver(self.core.said("refused" if refusing else "message", text)))

    def handed_over(self, to: str) -> None:
        """Report that the agent handed its work over."""
        self._quietly(lambda: self._deliver(self.core.said("refused", f"handed over to {to}")))

    def approve(self, call_id: str, by: str, *, calls: int = 1, minutes: float | None = None) -> Verdict:
        """A person lets a paused call through, or the next `calls` of its tool, or all of them for some minutes."""
        return self._decide(lambda: self.core.approve(call_id, by, calls, minutes), "", call_id, refresh=False)

    def close(self) -> None:
        """Send what waits. A guard that reports in the background needs it before the process ends."""
        self._quietly(self._flush)

    @contextmanager
    def task(self, name: str, policy: TaskPolicy = "fresh") -> Iterator["Guard"]:
        """A task's boundary.

        fresh: an agent of its own, born alike. carry: this agent, its stress put to rest at the end (which needs a key of scope
        operator), unless it pauses or escalates then. none: nothing changes.

        A fresh agent is young for all of a short task: it has stress, and no protection against drift.
        """
        if policy == "fresh":
            with self.core.another_agent(self._born(name)):
                yield self
            return
        if policy == "carry":
            self._refresh()
            self._needs_operator()
            self.core.begin_task()
        yield self
        if policy == "carry":
            self._quietly(self._rest)

    def _born(self, task: str) -> str:
        """Id of a new agent for a task."""
        if self._birth is None:
            raise ConfigurationError("a fresh agent for each task needs Guard.open(...), or policy='carry' or 'none'")
        return self._birth(task)

    def _needs_operator(self) -> None:
        """ConfigurationError when the key cannot put stress to rest, said before the task rather than after it."""
        scope = getattr(self.engine, "key_scope", None)
        if scope not in (None, "operator"):
            raise ConfigurationError(
                f"policy='carry' resets the agent after each task, which needs a key of scope operator, and this one is {scope}"
            )

    def _may_rest(self) -> bool:
        """Whether the agent's stress may be put to rest: not while a person has to look at it."""
        return not (self.contract.should_pause or self.contract.should_escalate)

    def _rest(self) -> None:
        self._flush()
        self._refresh(always=True)
        if self._may_rest():
            self.engine.reset(self.instance_id, "last_stable")
            self._refresh(always=True)

    def _decide(
        self, decide: Callable[[], tuple[Verdict, list[Outgoing]]], name: str, call_id: str | None, *, refresh: bool = True
    ) -> Verdict:
        try:
            if refresh:
                self._refresh()
            with self._kept(call_id):
                verdict, reports = decide()
        except Exception:
            logger.exception("the guard failed; the call is denied")
            return self.core.broken(name, call_id)
        self._quietly(lambda: self._deliver(reports))
        return verdict

    def _quietly(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:
            logger.exception("the guard failed; nothing was raised")

    def _refresh(self, *, always: bool = False) -> None:
        if not (always or self.core.wants_contract()):
            return
        try:
            self.core.answered(self.engine.get_contract(self.instance_id))
        except Exception as error:
            self.core.unreachable(error)

    def _deliver(self, reports: list[Outgoing]) -> None:
        if not reports:
            return
        self.core.enqueue(reports)
        if self._background is None or any(report.urgent for report in reports):
            self._flush()
            return
        try:
            self._background.put_nowait(None)
        except queue.Full:
            self._flush()

    def _flush(self) -> None:
        """Send what waits, in order, one at a time; what cannot be sent waits for the next report."""
        with self._sending:
            while (report := self.core.next_report()) is not None:
                try:
                    self.core.delivered(report, self.engine.process(report.instance_id, **report.arguments()))
                except Exception as error:
                    if not self.core.rejected(report, error):
                        return

    def _work(self) -> None:
        background = self._background
        while background is not None:
            background.get()
            self._quietly(self._flush)


class GuardAsync(_Shared):
    """Guard, to be awaited. `engine`: that of an IdentityOSAsync, of an IdentityOS (called in a thread), or a LocalEngine."""

    def __init__(self, engine: Any, instance_id: str, tools: Tools | None = None, *args: Any, **options: Any) -> None:
        background = options.pop("report", "await") == "background"
        self._adopt(Guard(engine, instance_id, tools, *args, **options), background)

    @classmethod
    def _over(cls, guard: Guard) -> "GuardAsync":
        made = cls.__new__(cls)
        made._adopt(guard, background=guard._background is not None)
        return made

    def _adopt(self, guard: Guard, background: bool) -> None:
        self._guard, self.core, self.engine, self.name = guard, guard.core, guard.engine, guard.name
        self._lock: asyncio.Lock | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._in_background = background
        self._awaitable = inspect.iscoroutinefunction(getattr(guard.engine, "process", None))

    def _read_first(self) -> None:
        if getattr(self.engine, "is_local", False):
            self._guard._read_first()

    async def before_tool(self, name: str, args: Any = None, call_id: str | None = None) -> Verdict:
        """As Guard.before_tool."""
        began = perf_counter()
        return await self._decide(lambda: self.core.before(name, args, call_id, began=began), name, call_id)

    async def after_tool(self, name: str, call_id: str | None = None, result: Any = None, error: Any = None) -> None:
        """As Guard.after_tool."""
        await self._report(lambda: self._after(name, call_id, result, error))

    async def user_said(self, text: str, *, heated: bool = False) -> None:
        """As Guard.user_said."""
        await self._report(lambda: self.core.said("message", text, heated=heated))

    async def agent_said(self, text: str, *, refusing: bool = False) -> None:
        """As Guard.agent_said."""
        await self._report(lambda: self.core.said("refused" if refusing else "message", text))

    async def handed_over(self, to: str) -> None:
        """As Guard.handed_over."""
        await self._report(lambda: self.core.said("refused", f"handed over to {to}"))

    async def approve(self, call_id: str, by: str, *, calls: int = 1, minutes: float | None = None) -> Verdict:
        """As Guard.approve."""
        return await self._decide(lambda: self.core.approve(call_id, by, calls, minutes), "", call_id, refresh=False)

    async def close(self) -> None:
        """As Guard.close."""
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._deliver([], flush=True)

    @asynccontextmanager
    async def task(self, name: str, policy: TaskPolicy = "fresh") -> AsyncIterator["GuardAsync"]:
        """As Guard.task."""
        if policy == "fresh":
            with self.core.another_agent(await asyncio.to_thread(self._guard._born, name)):
                yield self
            return
        if policy == "carry":
            await self._refresh()
            self._guard._needs_operator()
            self.core.begin_task()
        yield self
        if policy == "carry":
            await self._rest()

    async def _rest(self) -> None:
        try:
            await self._flush()
            await self._refresh()
            if self._guard._may_rest():
                await self._call(self.engine.reset, self.instance_id, "last_stable")
                await self._refresh()
        except Exception:
            logger.exception("the guard failed; nothing was raised")

    async def _decide(
        self, decide: Callable[[], tuple[Verdict, list[Outgoing]]], name: str, call_id: str | None, *, refresh: bool = True
    ) -> Verdict:
        try:
            if refresh and self.core.wants_contract():
                await self._refresh()
            with self._kept(call_id):
                verdict, reports = decide()
        except Exception:
            logger.exception("the guard failed; the call is denied")
            return self.core.broken(name, call_id)
        await self._report(lambda: reports)
        return verdict

    async def _report(self, make: Callable[[], list[Outgoing]]) -> None:
        try:
            await self._deliver(make())
        except Exception:
            logger.exception("the guard failed; nothing was raised")

    async def _refresh(self) -> None:
        try:
            self.core.answered(await self._call(self.engine.get_contract, self.instance_id))
        except Exception as error:
            self.core.unreachable(error)

    async def _deliver(self, reports: list[Outgoing], *, flush: bool = False) -> None:
        self.core.enqueue(reports)
        if not reports and not flush:
            return
        if self._in_background and not flush and not any(report.urgent for report in reports):
            task = asyncio.create_task(self._flush())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        await self._flush()

    async def _flush(self) -> None:
        if not self._awaitable:
            # An asyncio.Lock belongs to one event loop; frameworks with synchronous calls make a loop for each of them.
            await asyncio.to_thread(self._guard._flush)
            return
        if self._lock is None:
            self._lock = asyncio.Lock()
        async with self._lock:
            while (report := self.core.next_report()) is not None:
                try:
                    answer = await self._call(self.engine.process, report.instance_id, **report.arguments())
                    self.core.delivered(report, answer)
                except Exception as error:
                    if not self.core.rejected(report, error):
                        return

    async def _call(self, method: Callable[..., Any], *args: Any, **arguments: Any) -> Any:
        if self._awaitable:
            return await method(*args, **arguments)
        return await asyncio.to_thread(method, *args, **arguments)
