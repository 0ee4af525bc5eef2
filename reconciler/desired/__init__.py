"""The desired state's way from Git to the engine."""
