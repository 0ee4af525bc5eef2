"""Kubernetes' own test tables, run against our pure functions."""
