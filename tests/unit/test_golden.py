"""Same history, same bytes: the digests that are checked in."""

import json

import pytest

from identity_engine import ENGINE_VERSION
from local import template
from tests import golden


@pytest.mark.long
def test_digests_are_those_of_this_engine_version():
    known = json.loads(golden.FILE.read_text())
    assert known["engine_version"] == ENGINE_VERSION, "the version was raised: run make golden"
    changed = {name for name, digest in golden.digests().items() if known["digests"].get(name) != digest}
    assert not changed, "behaviour changed: raise ENGINE_VERSION, say what changed in CHANGELOG, run make golden"
    assert len(known["digests"]) == len(list(golden.sequences()))


def test_the_changelog_names_the_engine_version():
    assert f"engine {ENGINE_VERSION}" in (template.ROOT / "CHANGELOG.md").read_text()
