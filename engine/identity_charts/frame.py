"""Where things stand in a timeline: cycles from left to right, and the sizes of both variants."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """Pixels. `aside` is the column of words at the right, `hit` the narrowest part that can be pointed at."""

    aside: float
    stress: float
    energy: float
    drift: float
    allowed: float
    tick: float
    hit: float


WIDE = Sizes(aside=104, stress=140, energy=44, drift=72, allowed=36, tick=90, hit=12)
COMPACT = Sizes(aside=86, stress=104, energy=36, drift=60, allowed=28, tick=64, hit=24)
#: Above each panel stands its name; between panels there is air; a row of marks.
HEADING, AIR, ROW = 18, 14, 16


@dataclass(frozen=True, slots=True)
class Frame:
    """The plot's left and right edge, and the first and last cycle between them, each with a column of its own."""

    left: float
    right: float
    first: int
    last: int
    sizes: Sizes

    @property
    def step(self) -> float:
        """Width of one cycle."""
        return (self.right - self.left) / (self.last - self.first + 1)

    def edge(self, cycle: int) -> float:
        """The left edge of a cycle's column."""
        return self.left + (cycle - self.first) * self.step

    def x(self, cycle: int) -> float:
        """The middle of a cycle's column."""
        return self.edge(cycle) + self.step / 2
