"""Everything that touches a host: SSH, Docker, the pod runtime, networks, volumes, probes."""
