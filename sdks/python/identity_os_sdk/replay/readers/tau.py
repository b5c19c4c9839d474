"""tau-bench's historical trajectories (a list of `{task_id, trial, reward, traj}`) and tau2-bench's results (`simulations`).

A run succeeded if its reward is 1. The agent is the model with its domain where the file says so (tau2), else the file's name.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from identity_os_sdk.replay.readers.conversation import UnreadableError, chat_message, outcome_of
from identity_os_sdk.replay.readers.files import Document
from identity_os_sdk.replay.readers.reading import Reading, each, listed, objects
from identity_os_sdk.replay.runs import Problem, Run


def recognises(value: Any) -> bool:
    """Whether a value looks like it."""
    return isinstance(value, dict) and ("simulations" in value or "traj" in value)


def runs(documents: Iterable[Document], reading: Reading) -> Iterator[Run]:
    """The runs."""
    return each(documents, reading, _runs)


def _runs(document: Document, reading: Reading) -> Iterator[Run]:
    value = objects(document.value, "tau-bench run")
    if "simulations" not in value:
        if "traj" not in value:
            raise UnreadableError("no tau-bench run: it has neither traj nor simulations")
        run_id = f"{value.get('task_id')}/{value.get('trial', 0)}"
        yield _run(document, reading, value, "traj", run_id, document.path.name.partition(".")[0], value.get("reward"))
        return
    agent = _agent(value.get("info"))
    for simulation in listed(value["simulations"], "simulations"):
        try:
            each_value = objects(simulation, "simulation")
            reward = each_value.get("reward_info")
            succeeded = reward.get("reward") if isinstance(reward, dict) else None
            yield _run(document, reading, each_value, "messages", each_value.get("id"), agent, succeeded)
        except UnreadableError as error:
            reading.problem(Problem(document.source, str(error)))


def _run(
    document: Document, reading: Reading, value: Mapping[str, Any], where: str, run_id: Any, agent: str, reward: Any
) -> Run:
    steps = reading.steps(document)
    for message in listed(value.get(where), where):
        chat_message(steps, message)
    task = value.get("task_id")
    return reading.run(
        document, steps.made, run_id=run_id, agent=agent, task=task, succeeded=outcome_of(reward), attacked=False
    )


def _agent(info: Any) -> str:
    about = info if isinstance(info, dict) else {}
    model, domain = about.get("agent_info"), about.get("environment_info")
    named = (
        model.get("llm") if isinstance(model, dict) else None,
        domain.get("domain_name") if isinstance(domain, dict) else None,
    )
    return " ".join(str(part) for part in named if part)
