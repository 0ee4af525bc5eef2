"""Rules about what may come in, and what is added to it on the way."""
