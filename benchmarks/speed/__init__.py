"""`make bench`: the speed budgets of spec/architecture.md as ratios measured in one run, and what stands beside them."""
