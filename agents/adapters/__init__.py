"""Clients that people already use, one module each."""
