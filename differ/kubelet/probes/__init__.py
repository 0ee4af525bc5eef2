"""Probes and hooks: what they ask, when they are due, what their answers add up to. Pure."""
