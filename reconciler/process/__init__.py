"""The process: its parts put together, its threads, timers and HTTP endpoints."""
