"""Measures hosts, containers and pods, and asks metrics servers."""
