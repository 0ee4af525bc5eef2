"""Compare desired with live: pods against containers, objects against objects. Pure."""
