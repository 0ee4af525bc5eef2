"""Commits that are made by command or by the reconciler itself."""
