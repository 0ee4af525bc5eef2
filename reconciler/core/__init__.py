"""The brain: the engine, the loops that run controllers and the scheduler, what is deployed. No I/O."""
