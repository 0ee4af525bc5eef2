"""Asks the probes and runs the checks of one host's containers."""
