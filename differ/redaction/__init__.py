"""No secret value in a text: its spellings, and the one pass that masks them. Pure."""
