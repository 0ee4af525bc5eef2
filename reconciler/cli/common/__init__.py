"""What verbs have in common: options, names of objects, views, progress, exit codes."""
