"""What the guard decides as OpenTelemetry spans and metrics, so that a trace shows why a call was denied.

`Guard(..., telemetry=True)`, or `instrument(guard)` with providers of your own. It needs opentelemetry-api, which does nothing
in a program without an OpenTelemetry SDK. `docs/integrations/otel.md` has the table of names.
"""

import time
from collections.abc import Mapping
from typing import Any, Final, Protocol
from weakref import WeakSet

from identity_os_sdk._core import Core
from identity_os_sdk.errors import ConfigurationError
from identity_os_sdk.spans import Span

try:
    from opentelemetry import metrics, trace
except ImportError as missing:
    raise ConfigurationError("telemetry needs OpenTelemetry: pip install 'identity-os-sdk[otel]'") from missing

#: The name of the span, and the attribute by which a span is known to carry a verdict.
VERDICT: Final = "identity_os.verdict"
#: Attributes of the verdict, by the names that callbacks hear; then those of the state.
_OF_VERDICT: Final = {
    "kind": VERDICT,
    "would_have": "identity_os.would_have",
    "action": "identity_os.action",
    "reason": "identity_os.reason",
    "by": "identity_os.decided_by",
    "trace": "identity_os.trace",
    "instance_id": "identity_os.instance.id",
}
_OF_STATE: Final = {
    "stress": "identity_os.stress.state",
    "stress_strength": "identity_os.stress.strength",
    "energy": "identity_os.energy",
    "trust": "identity_os.trust",
    "cycle": "identity_os.cycle",
}
_OF_CALL: Final = {"tool": "gen_ai.tool.name", "call_id": "gen_ai.tool.call.id"}
_AGENT: Final = "gen_ai.agent.name"

_instrumented: "WeakSet[Core]" = WeakSet()


class Guarded(Protocol):
    """A Guard or a GuardAsync."""

    core: Core
    name: str


def instrument(guard: Guarded, *, tracer_provider: Any = None, meter_provider: Any = None) -> None:
    """Write a span and metrics for each verdict of `guard`. The providers are the program's own unless they are given.

    The attributes of the verdict are also set on the current span if it executes a tool. A guard is instrumented once.
    """
    core = guard.core
    if core in _instrumented:
        return
    _instrumented.add(core)
    tracer = trace.get_tracer("identity_os_sdk", tracer_provider=tracer_provider)
    meter = metrics.get_meter("identity_os_sdk", meter_provider=meter_provider)
    verdicts = meter.create_counter("identity_os.verdicts", unit="{verdict}", description="Verdicts of the guard")
    duration = meter.create_histogram("identity_os.decision.duration", unit="s", description="Time until a verdict")
    stress = meter.create_gauge("identity_os.stress", unit="1", description="Strength of the agent's stress")
    energy = meter.create_gauge("identity_os.energy", unit="1", description="The agent's energy")

    def on_verdict(about: Mapping[str, Any]) -> None:
        attributes = attributes_of(about, core.state())
        mark(trace.get_current_span(), attributes)
        seconds = about["seconds"] or 0.0
        now = time.time_ns()
        with_call = attributes | {name: about[key] for key, name in _OF_CALL.items() if about[key]} | {_AGENT: guard.name}
        span = tracer.start_span(VERDICT, attributes=with_call, start_time=now - int(seconds * 1e9))
        span.end(end_time=now)
        of_metrics: dict[str, Any] = {
            name: attributes[name] for name in (VERDICT, "identity_os.would_have") if name in attributes
        }
        of_metrics[_AGENT] = guard.name
        verdicts.add(1, of_metrics | {"identity_os.action": attributes["identity_os.action"]})
        if about["seconds"] is not None:
            duration.record(seconds, of_metrics)

    def on_state(about: Mapping[str, Any]) -> None:
        if about.get("stress_strength") is not None:
            stress.set(about["stress_strength"], {_AGENT: guard.name})
        energy.set(about["energy"], {_AGENT: guard.name})

    core.subscribe("verdict", on_verdict)
    core.subscribe("state", on_state)


def attributes_of(verdict: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a verdict: what a callback hears of it, and the agent's state. What is not known is left out."""
    pairs = [(name, verdict.get(key)) for key, name in _OF_VERDICT.items()]
    pairs += [(name, state.get(key)) for key, name in _OF_STATE.items()]
    return {name: value for name, value in pairs if value is not None and value != ""}


def mark(span: Any, attributes: Mapping[str, Any]) -> None:
    """Set attributes on a span that executes a tool, and on no other: an agent's span has many verdicts."""
    found = getattr(span, "attributes", None)
    if span.is_recording() and found is not None and Span.of(span.name, found).executes_tool():
        span.set_attributes(attributes)
