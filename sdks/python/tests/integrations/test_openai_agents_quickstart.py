"""docs/quickstarts/openai-agents.md is followed to the letter."""

import quickstart

test_quickstart = quickstart.ends_with_a_denial("openai-agents")
