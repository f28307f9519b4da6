"""The report: a run's figures and episodes in one HTML file that needs nothing else."""
