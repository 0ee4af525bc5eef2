"""What is said about the cluster: health, events, and the commits on the status branch."""
