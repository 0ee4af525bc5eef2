"""Edits in a person's manifests that leave everything else as it was."""
