"""Nodes: what they are, what their state does to pods, drains and evictions."""
