"""YAML and JSON as kubectl reads them: strict, bounded, every mistake with its place."""
