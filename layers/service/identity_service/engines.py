"""The engine's releases, side by side: each instance is decided by the version that it is pinned to, for ever.

`engine(version)` is the version's interface (`identity_engine.interface`): this checkout's own, or a frozen release, a zip
under engine/releases/ whose SHA-256 stands in engine/releases.json. A release is imported by the first request that needs it,
so that no other pays for it. Source: docs/architecture.md, "Engines side by side"; docs/upgrading.md.
"""

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol, cast

import identity_engine
from identity_engine import CONFIG, Profile, interface
from identity_engine.interface import Document, Which

#: The version of new instances.
NEWEST: Final = interface.VERSION
#: A further folder with a releases.json, for versions that were never published; the tests have one.
_MORE: Final = "IDENTITY_OS_ENGINE_RELEASES"


@dataclass(frozen=True, slots=True)
class Born:
    """What an engine made of a new agent: the state as text, its figures (`turn`), the engine's version."""

    encoded: str
    turn: dict[str, Any]
    engine_version: str


class Engine(Protocol):
    """`identity_engine.interface`, of any version."""

    VERSION: str
    MIGRATES: tuple[str, ...]
    RESET_MODES: tuple[str, ...]

    def birth(self, profile: Mapping[str, Any], strengths: Sequence[float], energy: float) -> str: ...  # noqa: D102
    def birth_inputs(self, state: Document) -> dict[str, Any]: ...  # noqa: D102
    def process(  # noqa: D102
        self,
        state: Document,
        observations: Iterable[Mapping[str, Any]],
        *,
        snapshots: Which = "last",
        contracts: Which = "none",
    ) -> dict[str, Any]: ...
    def reset(self, state: Document, mode: str) -> str: ...  # noqa: D102
    def migrate(self, state: Document) -> str: ...  # noqa: D102
    def snapshot(self, state: Document) -> dict[str, Any]: ...  # noqa: D102
    def turn(self, state: Document) -> dict[str, Any]: ...  # noqa: D102
    def thresholds(self, state: Document) -> dict[str, float]: ...  # noqa: D102
    def drift(self, state: Document) -> dict[str, Any]: ...  # noqa: D102
    def memory(self, state: Document) -> dict[str, Any]: ...  # noqa: D102
    def contract(self, state: Document) -> dict[str, Any]: ...  # noqa: D102
    def explanation(self, state: Document) -> list[dict[str, Any]]: ...  # noqa: D102
    def goal(self, state: Document, complexity: str, modes: Sequence[str]) -> dict[str, Any]: ...  # noqa: D102


class UnknownEngine(LookupError):
    """This deployment does not have the version: it is older than the instance, or the version was never released."""

    def __init__(self, version: str) -> None:
        super().__init__(f"this deployment has no engine {version}; it has {', '.join(versions())}")
        self.version = version


class DamagedRelease(RuntimeError):
    """A frozen release is not the one that was published: its bytes have another SHA-256."""


def versions() -> list[str]:
    """All versions that this deployment has, oldest first."""
    return sorted({*_releases(), NEWEST}, key=lambda version: tuple(int(part) for part in version.split(".")))


@cache
def engine(version: str) -> Engine:
    """The interface of a version. UnknownEngine when it is not here, DamagedRelease when its file was changed."""
    if version == NEWEST:
        return cast(Engine, interface)
    release = _releases().get(version)
    if release is None:
        raise UnknownEngine(version)
    path, digest = release
    if sha256(path.read_bytes()).hexdigest() != digest:
        raise DamagedRelease(f"{path.name} is not the file that was released as {version}")
    sys.path.append(str(path))
    return cast(Engine, import_module(f"{package(version)}.interface"))


def birth(
    profile: Profile = Profile(),
    strengths: Sequence[float] = (0.0,) * 7,
    energy: float = CONFIG.energy_start,
    version: str = NEWEST,
) -> Born:
    """A new agent under a version. `strengths` -1 to 1, `energy` 0 to 1; ValueError for negative stress."""
    made = engine(version)
    encoded = made.birth({name: getattr(profile, name) for name in Profile.__slots__}, strengths, energy)
    return Born(encoded, made.turn(json.loads(encoded)), version)


def package(version: str) -> str:
    """The name of a frozen release's package."""
    return f"identity_engine_{version.replace('.', '_')}"


@cache
def _releases() -> dict[str, tuple[Path, str]]:
    """File and SHA-256 of each frozen release, by version."""
    folders = [Path(identity_engine.__file__).parents[1], *map(Path, filter(None, [os.environ.get(_MORE)]))]
    found = {}
    for folder in folders:
        listed = folder / "releases.json"
        for version, entry in json.loads(listed.read_text()).items() if listed.exists() else ():
            found[version] = (folder / "releases" / f"{package(version)}.zip", entry["sha256"])
    return found
