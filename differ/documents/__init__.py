"""Documents against documents: which fields differ, patches, and plans as text and Markdown. Pure."""
