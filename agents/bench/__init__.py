"""The benchmark: frozen suites of tasks, metrics with intervals, and a cause for every failure, all of it derived by execution."""
