"""A host in memory that behaves like a real one, faults included: for `berth plan` and the simulation tests."""
