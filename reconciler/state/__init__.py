"""What the engine knows: the store, and how desired objects, reports of hosts and copies come into it. Pure."""
