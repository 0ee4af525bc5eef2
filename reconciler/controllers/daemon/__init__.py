"""The parts of a DaemonSet's work, each pure: which nodes it belongs on, and how its pods are updated."""
