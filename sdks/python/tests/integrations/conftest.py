"""Lets the adapters' tests import `story`, each in the environment of its framework."""

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def home():
    """A home for hooks of Claude Code, whose path is short enough for a socket. Its daemons end with it."""
    from identity_os_sdk.integrations.claude_code import daemon

    folder = Path(tempfile.mkdtemp(prefix="hook", dir="/tmp"))
    yield folder
    for address in folder.glob("identity-os-*/*.sock"):
        if pid := daemon.running(str(address)):
            os.kill(pid, signal.SIGTERM)
    shutil.rmtree(folder)
