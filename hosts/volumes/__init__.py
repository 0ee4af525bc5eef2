"""Volumes of claims on a host."""
