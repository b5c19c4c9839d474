"""Prints a summary in the terminal, and the bar of progress while runs are played. Nothing is counted here.

Names and texts come from recordings: they are printed as plain text, without the markup and control characters they may hold.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from identity_os_sdk.replay.alarms import COUNTERS, Alarm
from identity_os_sdk.replay.look import STRESS
from identity_os_sdk.replay.summary import DRIFT, Summary

#: Width where there is no terminal to ask.
_WIDTH = 120
#: Rows of a table; the rest is in --json.
_ROWS = 15


@contextmanager
def progress(paths: Iterable[Path]) -> Iterator[Callable[[int], None]]:
    """A bar on standard error over the bytes of files and folders, if it is a terminal. Call what it gives with bytes read."""
    console = Console(file=sys.stderr)
    if not console.is_terminal:
        yield lambda _: None
        return
    files = (each for path in paths for each in ([path] if path.is_file() else path.rglob("*")))
    total = sum(each.stat().st_size for each in files if each.is_file())
    columns = (TextColumn("replaying"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda count: bar.advance(task, count)


def print_summary(summary: Summary, listed: int, logged: Mapping[str, int]) -> None:
    """The summary. `listed`: runs that are named. `logged`: what the guard logged, and how often."""
    if isinstance(sys.stdout, TextIOWrapper):
        # A terminal that cannot show a character of a recording shows another one.
        sys.stdout.reconfigure(errors="replace")
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
    console.print(Text(_head(summary)))
    _print_refusals(console, summary)
    _print_alarms(console, summary)
    _print_levels(console, summary)
    _print_worth_a_look(console, summary, listed)
    _print_tools(console, summary)
    _print_rules(console, summary)
    _print_problems(console, summary, logged)


def _head(summary: Summary) -> str:
    formats = ", ".join(f"{name} ({_count(count, 'file')})" for name, count in summary.formats.items())
    known = summary.succeeded + summary.failed
    outcome = f"{summary.succeeded:,} succeeded, {summary.failed:,} failed" if known else "no outcome is known"
    attacked = f", {summary.attacked:,} attacked" if summary.attacked else ""
    return (
        f"{formats}\n{_count(summary.runs, 'run')} of {_count(len(summary.agents), 'agent')} ({outcome}{attacked}), "
        f"{_count(summary.calls, 'call')}, {summary.changing:,} of them changing"
    )


def _print_refusals(console: Console, summary: Summary) -> None:
    total = sum(summary.refused.values())
    if not total:
        _title(console, "Would have been refused: nothing")
        return
    share = f" of {summary.changing:,} ({summary.refused_changing / summary.changing:.1%})" if summary.changing else ""
    _title(
        console,
        f"Would have been refused: {_count(total, 'call')} in {_count(summary.runs_refused, 'run')}; "
        f"{_count(summary.refused_changing, 'changing call')}{share}",
    )
    table = _table("calls", "tool", "needs", "what", "why")
    for each, count in summary.refused.most_common(_ROWS):
        what = "waits for a person" if each.kind == "pause" else "denied"
        _row(table, f"{count:,}", each.tool, each.action, what, each.reason)
    console.print(table)
    _more(console, len(summary.refused))
    if summary.succeeded:
        of = f"of {summary.changing_succeeded:,} changing calls in runs that succeeded"
        _line(console, f"False refusals: {summary.false_refusals:,} {of}")


def _print_alarms(console: Console, summary: Summary) -> None:
    if not (summary.succeeded or summary.failed):
        return
    known = summary.succeeded + summary.failed
    _title(console, f"As an alarm of failure, over {known:,} runs, {summary.failed:,} of them failed")
    table = _table("alarm", "precision", "recall", "false")
    _row(table, "stress reaches HIGH", *_alarm(summary.engine_alarm))
    for count in COUNTERS:
        _row(table, f"{count} or more failed or repeated calls", *_alarm(summary.counter_alarms[count]))
    console.print(table)


def _alarm(alarm: Alarm) -> tuple[str, str, str]:
    precision = "-" if alarm.precision is None else f"{alarm.precision:.2f}"
    recall = "-" if alarm.recall is None else f"{alarm.recall:.3f}"
    return precision, recall, f"{alarm.false:,}"


def _print_levels(console: Console, summary: Summary) -> None:
    _title(console, f"Where the agents were, over {summary.cycles:,} cycles")
    cycles = max(summary.cycles, 1)
    for name, levels, counts in (("stress", STRESS, summary.stress), ("drift", DRIFT, summary.drift)):
        _line(console, f"{name}: {', '.join(f'{level} {counts[level] / cycles:.1%}' for level in levels)}")
    _line(console, f"rolled back: {_count(summary.rolled_back, 'time')}")


def _print_worth_a_look(console: Console, summary: Summary, listed: int) -> None:
    looks = summary.worth_a_look(listed)
    if not looks:
        return
    _title(console, "Most worth a look")
    for number, each in enumerate(looks, 1):
        run = each.played.run
        _line(console, f"{number:>2}. {run.source}{'' if run.id == run.source else f' ({run.id})'}")
        _line(console, f"    {'; '.join(each.why)}")


def _print_tools(console: Console, summary: Summary) -> None:
    if not summary.tool_uses:
        return
    _title(console, "What each tool was taken for")
    table = _table("tool", "action", "because of", "calls", "failed", "refused")
    uses = sorted(summary.tool_uses.items(), key=lambda item: (-item[1].calls, item[0]))
    for name, use in uses[: 2 * _ROWS]:
        numbers = (f"{number:,}" for number in (use.calls, use.failed, use.refused))
        _row(table, name, use.action.action.value, use.action.source, *numbers)
    console.print(table)
    _more(console, len(uses), 2 * _ROWS)


def _print_rules(console: Console, summary: Summary) -> None:
    if not summary.error_rules:
        return
    _title(console, "What decided whether a result is an error")
    table = _table("results", "taken for", "because")
    for (rule, failed), count in sorted(summary.error_rules.items(), key=lambda item: (-item[1], item[0])):
        _row(table, f"{count:,}", "an error" if failed else "worked", rule)
    console.print(table)


def _print_problems(console: Console, summary: Summary, logged: Mapping[str, int]) -> None:
    if summary.problem_count:
        _title(console, f"Could not be read: {summary.problem_count:,}")
        for problem in summary.problems[:_ROWS]:
            _line(console, str(problem))
        _more(console, summary.problem_count)
    if logged:
        _title(console, "The guard logged")
        for message, count in logged.items():
            _line(console, f"{_count(count, 'time')}: {message}")


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in columns:
        right = name in ("calls", "failed", "refused", "results", "precision", "recall", "false")
        table.add_column(name, justify="right" if right else "left", overflow="fold", no_wrap=right)
    return table


def _row(table: Table, *cells: str) -> None:
    table.add_row(*(Text(_clean(cell)) for cell in cells))


def _title(console: Console, text: str) -> None:
    console.print()
    console.print(Text(_clean(text), style="bold"))


def _line(console: Console, text: str) -> None:
    # A long line is the terminal's to break: a place in a file is there to be copied.
    console.print(Text(_clean(text)), soft_wrap=True)


def _more(console: Console, count: int, shown: int = _ROWS) -> None:
    if count > shown:
        _line(console, f"and {count - shown:,} more (--json)")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _clean(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text.encode("utf-8", "replace").decode())
