"""Docker Engine over the SSH link: calls, streams, events, images."""
