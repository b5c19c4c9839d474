"""docs/quickstarts/langgraph.md is followed to the letter."""

import quickstart

test_quickstart = quickstart.ends_with_a_denial("langgraph")
