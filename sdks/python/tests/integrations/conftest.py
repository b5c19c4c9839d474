"""Lets the adapters' tests import `story`, each in the environment of its framework."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
