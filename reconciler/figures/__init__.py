"""What is measured of hosts and pods, for whom, and what it amounts to. Pure."""
