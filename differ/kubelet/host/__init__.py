"""What a host must have beside containers, compared with what it has: declared host state. Pure."""
