"""The parts of an autoscaler's work: what it scales, and what its metrics say."""
