"""The page of `identity-os-guard replay --html`: one file, without network or script, light and dark, readable at 380 pixels.

What is counted comes from `summary`, the charts from identity_charts; page.html is the page, page.css its looks. Names and
texts of a recording come from strangers: the template escapes whatever is not made here, and the page's policy lets no script
run and nothing be fetched, should that ever fail.
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from identity_os_sdk.errors import ConfigurationError
from identity_os_sdk.replay.alarms import COUNTERS
from identity_os_sdk.replay.look import STRESS, Look, look
from identity_os_sdk.replay.play import Played
from identity_os_sdk.replay.summary import DRIFT, Summary
from identity_os_sdk.replay.table import Row, refusals, rows

try:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    from identity_charts import Mark, Point, Scale, drift_marks, icon, stylesheet, timeline
    from identity_engine import ACTIONS, CONFIG
except ImportError as error:
    raise ConfigurationError("a page needs more: pip install 'identity-os-sdk[replay]'") from error

#: Runs that are shown at length; rows of a run's table.
_FIRST, _ROWS = 10, 400
_WIDE, _COMPACT = 1000, 340
_SCALE = Scale(
    CONFIG.stress_med, CONFIG.stress_high, CONFIG.stress_over, CONFIG.drift_d1, CONFIG.drift_d2, CONFIG.drift_d3, len(ACTIONS)
)


@dataclass(frozen=True, slots=True)
class _Shown:
    """A run as the page shows it. `wide` is empty where only the compact timeline is shown."""

    anchor: str
    played: Played
    why: tuple[str, ...]
    worst: str
    wide: Markup
    compact: Markup
    rows: list[Row]
    left_out: int
    refusals: list[Row]


def write(path: Path, summary: Summary, played: Iterable[Played], *, title: str) -> None:
    """Write the page. The runs most worth a look, as the summary has them, come first; the rest of `played` is folded.

    OSError: the file cannot be written.
    """
    first = summary.worth_a_look(_FIRST)
    ids = {id(each.played) for each in first}
    others = (look(each) for each in played if id(each) not in ids)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": _count, "share": _share}
    style = Path(__file__).with_name("page.css").read_text(encoding="utf-8") + stylesheet()
    page = environment.get_template("page.html").stream(
        title=title,
        style=Markup(style),  # noqa: S704 - of this package
        policy=_policy(style),
        summary=summary,
        first=_shown(first, "top", wide=True),
        others=_shown(others, "run", wide=False),
        reasons=_reasons(summary),
        spikes=(CONFIG.stress_spikes_from, CONFIG.stress_spikes_shift),
        more=max(0, summary.runs - len(first)),
        actions=len(ACTIONS),
        counters=COUNTERS,
        stress=STRESS,
        drift=DRIFT,
        icon=lambda name: Markup(icon(name)),  # noqa: S704 - of identity_charts
    )
    with path.open("wb") as file:
        page.dump(file, encoding="utf-8", errors="replace")


def _policy(style: str) -> str:
    """The page's Content-Security-Policy: its own style by its digest, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _reasons(summary: Summary) -> list[tuple[int, str, str, Counter[str]]]:
    """Why calls would have been refused, each reason once: how many, deny or pause, the reason, and the tools."""
    tools: dict[tuple[str, str], Counter[str]] = {}
    for each, count in summary.refused.items():
        tools.setdefault((each.kind, each.reason), Counter())[each.tool] += count
    return sorted(((used.total(), *why, used) for why, used in tools.items()), key=lambda row: -row[0])


def _shown(looks: Iterable[Look], name: str, *, wide: bool) -> Iterator[_Shown]:
    for number, each in enumerate(looks, 1):
        played, anchor = each.played, f"{name}-{number}"
        found = rows(played)
        worst = max((STRESS.index(turn.stress_state) for turn in played.turns), default=0)
        yield _Shown(
            anchor,
            played,
            each.why,
            STRESS[worst],
            _timeline(played, _links(anchor, found[:_ROWS])) if wide else Markup(),
            _timeline(played),
            found[:_ROWS],
            max(0, len(found) - _ROWS),
            refusals(played),
        )


def _links(anchor: str, shown: Sequence[Row]) -> Callable[[int], str]:
    """The address of the row of each turn; of the last row for turns that have none."""
    starts = {turn: row.first for row in shown if row.turn for turn in range(row.first, row.last + 1)}
    last = max(starts.values(), default=0)
    return lambda turn: f"#{anchor}-{starts.get(turn, last)}"


def _timeline(played: Played, link: Callable[[int], str] | None = None) -> Markup:
    """The run's timeline: wide where its turns are links to their rows, compact without."""
    points = [
        Point(
            number,
            turn.stress,
            turn.stress_state,
            turn.energy,
            None if turn.drift_level is None else turn.drift,
            turn.drift_level,
            turn.allowed,
        )
        for number, turn in enumerate(played.turns, 1)
    ]
    marks = [*drift_marks(points), *_marks(played)] if points else []
    return Markup(  # noqa: S704 - identity_charts escapes
        timeline(
            points,
            marks,
            _SCALE,
            width=_WIDE if link else _COMPACT,
            compact=link is None,
            link=link,
            title=f"Timeline of run {played.run.id}",
            unit="turn",
        )
    )


def _marks(played: Played) -> Iterator[Mark]:
    paused = escalated = False
    for number, turn in enumerate(played.turns, 1):
        if turn.incident:
            yield Mark(number, "incident", turn.tool)
        if turn.rolled_back:
            yield Mark(number, "rollback", "the last stable character is put back")
        if turn.paused and not paused:
            yield Mark(number, "pause", "the contract asks for a pause")
        if turn.escalated and not escalated:
            yield Mark(number, "escalation", "the contract asks for a person")
        paused, escalated = turn.paused, turn.escalated
    for refusal in played.refused:
        # A refusal is no turn: it stands at the turn before it.
        at = min(max(refusal.turn, 1), len(played.turns))
        yield Mark(at, "denial" if refusal.kind == "deny" else "pause", f"{refusal.tool}: {refusal.reason}")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _share(part: float, whole: float) -> str:
    """A share in words: "-" of nothing."""
    return f"{part / whole:.1%}" if whole else "-"
