"""The parts of a StatefulSet's work, each pure: identity of its pods, revisions, claims, and the next step."""
