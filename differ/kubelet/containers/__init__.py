"""One container: what Docker is told of it, what it needs next, how it is, when it is started again. Pure."""
