"""Where a pod may run: one small class a rule, with its name, its verdict by host and its reason."""
