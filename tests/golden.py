"""Golden sequences: digests of the engine's results, stored in tests/golden.json.

`make golden` regenerates them, and refuses to change digests while the engine's version is that of the file: a changed digest
is changed behaviour, which needs a new version and a line in CHANGELOG.
"""

import json
import sys
from hashlib import sha256
from pathlib import Path
from random import Random

from benchmarks import scenarios
from identity_engine import (
    ENGINE_VERSION,
    PERSONAS,
    Profile,
    birth,
    canonical,
    contract,
    contract_view,
    drift_view,
    encode,
    explanation_view,
    memory_view,
    process_all,
    snapshot_view,
)

FILE = Path(__file__).parent / "golden.json"


def sequences():
    """Name, initial state and observations of each golden sequence."""
    for name, scenario in scenarios.SCENARIOS.items():
        for governance in ("strict", "relaxed", "stress_only"):
            yield f"{name}-{governance}", birth(Profile(governance=governance)), scenario(Random(11))
    yield "tutorial", birth(), scenarios.tutorial()
    yield "crisis", birth(), scenarios.crisis_and_calm()
    yield "two-crises", birth(Profile(governance="strict")), scenarios.two_crises(Random(11))
    yield "takeover", birth(), scenarios.takeover(Random(11))
    for persona in PERSONAS:
        yield persona.id, birth(persona.profile, persona.mode_profile), scenarios.chaotic(Random(11))


def digests():
    """SHA-256 by sequence, over the results of every step and the last state."""
    found = {}
    for name, state, observations in sequences():
        digest = sha256()
        for after, drift in process_all(state, observations):
            views = [snapshot_view(after), contract_view(contract(after)), drift_view(drift), memory_view(after)]
            digest.update(canonical([*views, explanation_view(after)]).encode())
        digest.update(encode(after).encode())
        found[name] = digest.hexdigest()
    return dict(sorted(found.items()))


def main():
    """Write the file, unless digests changed without a new engine version."""
    fresh = digests()
    if FILE.exists():
        known = json.loads(FILE.read_text())
        if known["digests"] != fresh and known["engine_version"] == ENGINE_VERSION:
            print(f"digests changed and the engine is still {ENGINE_VERSION}: raise ENGINE_VERSION first", file=sys.stderr)
            return 1
    FILE.write_text(json.dumps({"digests": fresh, "engine_version": ENGINE_VERSION}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
