"""Rules that an operator may tune or add to: scheduling, eviction, admission, disruption, prune safety. Pure."""
