"""Pods of a controller: which are its own, which go first, how they are made."""
