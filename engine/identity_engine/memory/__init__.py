"""Step 8, memory: what a past does to the present, in a state of fixed size.

A chain of small pure layers, each a function from its own past and one immutable record of the cycle:

    episodic -> growth -> self_model -> coherence -> narrative

Source: docs/engine.md, "Step 8: memory".
"""

from identity_engine.memory.chain import Feedback, Memory, feedback, first_memory, remember
from identity_engine.memory.record import CycleRecord

__all__ = ["CycleRecord", "Feedback", "Memory", "feedback", "first_memory", "remember"]
