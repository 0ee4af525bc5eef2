"""One reconciler at a time: who is in charge, and how that is taken and lost."""
