"""The engine: store, controllers, scheduler loop, host workers, status, command line."""
