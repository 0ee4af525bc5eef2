"""The parts of a Job's work, each pure: indexes, policies, back-off, accounting, verdict."""
