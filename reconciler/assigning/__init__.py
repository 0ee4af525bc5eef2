"""From the store to what each host is to run."""
