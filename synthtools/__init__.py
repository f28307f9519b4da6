"""Worlds of synthetic tools: what can be done, what it changes, and what success means."""
