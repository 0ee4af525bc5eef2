"""Desired state comes in (Git, rendering, parsing, validation); status commits go out."""
