"""Profiles: `default` for every run, its seeds fixed so that a red run can be repeated; HYPOTHESIS_PROFILE=large on demand."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "default", max_examples=1_000, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
settings.register_profile("large", settings.get_profile("default"), max_examples=50_000, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
