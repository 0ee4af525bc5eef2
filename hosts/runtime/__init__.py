"""Carries out the actions of a plan on a host."""
