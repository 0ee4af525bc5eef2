"""The parts of a Deployment's rollout, each pure: revisions, arithmetic, strategies, scaling, progress."""
