"""`make bench`: the speed budgets of docs/performance.md as ratios measured in one run, and what stands beside them."""
