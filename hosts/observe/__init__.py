"""Looks at a host: its facts, its containers, what they left to say."""
