"""Evaluation: what agents do at every decision of a task, and in the end."""
