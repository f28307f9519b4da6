"""Spot-checks by people: a sample of a run's episodes, accepted or rejected in a browser, and how far reviewers agree."""
