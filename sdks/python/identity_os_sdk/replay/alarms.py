"""An alarm of failure, judged by what became of the runs: stress in the engine, and a plain counter beside it."""

from dataclasses import dataclass

#: From so many failed or repeated calls on, the plain counter beside the engine raises an alarm.
COUNTERS = (2, 3, 4)


@dataclass(slots=True)
class Alarm:
    """An alarm over runs whose outcome is known: how many that failed it hit, how many that succeeded, how many failed."""

    hits: int = 0
    false: int = 0
    failed: int = 0

    @property
    def precision(self) -> float | None:
        """The share of alarms that hit a run that failed, None where there was no alarm."""
        return self.hits / (self.hits + self.false) if self.hits + self.false else None

    @property
    def recall(self) -> float | None:
        """The share of failed runs that had an alarm, None where none failed."""
        return self.hits / self.failed if self.failed else None

    def add(self, raised: bool, succeeded: bool) -> None:
        """Count a run."""
        self.failed += not succeeded
        self.hits += raised and not succeeded
        self.false += raised and succeeded

    def as_dict(self) -> dict[str, float | None]:
        """The alarm as JSON."""
        return {"precision": self.precision, "recall": self.recall, "hits": self.hits, "false": self.false}
