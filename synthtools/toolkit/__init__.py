"""Bring your own tools: mark the methods of an ordinary class with `@tool`, and it is a domain."""

from synthtools.toolkit.declare import Refused, tool

__all__ = ["Refused", "tool"]
