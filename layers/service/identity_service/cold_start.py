"""What a cold start must do before it imports anything large: every function imports this first."""

import gc
import sys

# Imports make hundreds of thousands of objects that stay. Looking through them again and again takes a tenth of a cold start.
gc.set_threshold(100_000)

# FastAPI asks of each annotation whether it is a model of pydantic 1, and loads all of that, 40 ms, to hear that it is not.
sys.modules.setdefault("pydantic.v1", None)  # type: ignore[arg-type]
