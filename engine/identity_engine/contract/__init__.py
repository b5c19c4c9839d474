"""Step 9, the ExecutionContract: what a state allows, and how to act on it.

One module for each dimension: action space, style, timing, personality, narrative.
"""

from identity_engine.contract.assemble import Contract, contract

__all__ = ["Contract", "contract"]
