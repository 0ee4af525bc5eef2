"""The SSH link to a host: login, connection, channels, commands, liveness.."""
