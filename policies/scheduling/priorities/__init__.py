"""Where a pod runs best: one small class a rule, with Kubernetes' formula and 0…100 points a host."""
