"""Cold-start settings that must be in place before any large import: every function imports this module first."""

import gc
import sys

# Imports create hundreds of thousands of permanent objects. Garbage collection during imports takes a tenth of a cold start.
gc.set_threshold(100_000)

# FastAPI imports the pydantic 1 compatibility module, 40 ms, to check that no annotation is a pydantic 1 model.
sys.modules.setdefault("pydantic.v1", None)  # type: ignore[arg-type]
