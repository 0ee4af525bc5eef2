"""Claims and how they get their volumes."""
