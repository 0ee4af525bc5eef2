"""The network of pods on a host, and the declared state around it."""
