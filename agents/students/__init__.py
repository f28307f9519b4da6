"""Students: models that are trained on trajectories."""
