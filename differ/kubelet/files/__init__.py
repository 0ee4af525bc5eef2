"""A pod's volumes and the files in them: which, where, and when they are written. Pure."""
