"""What every reader is given: the rules of errors, how agents are told apart, and where problems go."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from identity_os_sdk.outcomes import ErrorRules
from identity_os_sdk.replay.readers.conversation import Steps, UnreadableError, outcome_of
from identity_os_sdk.replay.readers.files import Document, is_message
from identity_os_sdk.replay.runs import Problem, Run, Step
from identity_os_sdk.values import name_of

AgentBy = Literal["recording", "file", "folder", "one"]


@dataclass(frozen=True)
class Reading:
    """`agent_by`: whose run it is: as the recording says, or one agent for each file, each folder, or for all runs."""

    problem: Callable[[Problem], None]
    rules: ErrorRules = ErrorRules()
    agent_by: AgentBy = "recording"

    def steps(self, document: Document) -> Steps:
        """Where the steps of a run are put together."""
        return Steps(self.rules, lambda message: self.problem(Problem(document.source, message)))

    def run(
        self,
        document: Document,
        steps: Iterable[Step],
        *,
        run_id: Any = None,
        agent: Any = None,
        task: Any = None,
        succeeded: bool | None = None,
        attacked: bool | None = None,
    ) -> Run:
        """A run. One without an id is named by its source; an agent without a name is one agent."""
        found = {
            "recording": name_of(agent) or "agent",
            "file": str(document.path),
            "folder": str(document.path.parent),
            "one": "agent",
        }[self.agent_by]
        source = name_of(document.source)
        return Run(name_of(run_id) or source, name_of(found), name_of(task), tuple(steps), succeeded, attacked, source)


def each(documents: Iterable[Document], reading: Reading, read: Callable[[Document, Reading], Iterable[Run]]) -> Iterator[Run]:
    """The runs of documents that are read one by one. What is no run is a problem, and the next one is read."""
    for document in documents:
        try:
            yield from read(document, reading)
        except UnreadableError as error:
            reading.problem(Problem(document.source, str(error)))


def objects(value: Any, what: str) -> dict[str, Any]:
    """The value, which is an object."""
    if not isinstance(value, dict):
        raise UnreadableError(f"no {what}: it is no object")
    return value


def listed(value: Any, what: str) -> list[Any]:
    """The value, which is a list."""
    if not isinstance(value, list):
        raise UnreadableError(f"{what} is no list" if value is not None else f"{what} is missing")
    return value


def message_run(document: Document, reading: Reading, add: Callable[[Steps, Any], None]) -> Run:
    """The run of a list of messages, or of an object with `messages` and what is known of the run beside them."""
    value = document.value
    about = value if isinstance(value, dict) else {}
    if about and is_message(about):
        raise UnreadableError("a message, not a run: the messages of a run belong into one list")
    steps = reading.steps(document)
    for message in listed(about.get("messages") if about else value, "messages"):
        add(steps, message)
    return reading.run(
        document,
        steps.made,
        run_id=about.get("id") or about.get("thread_id"),
        agent=about.get("agent") or about.get("model"),
        task=about.get("task"),
        succeeded=outcome_of(about.get("succeeded")),
        attacked=outcome_of(about.get("attacked")),
    )
