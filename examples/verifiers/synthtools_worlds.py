"""synthtools as a verifiers environment: `PYTHONPATH=examples/verifiers vf-eval synthtools_worlds -m MODEL --no-push`.

Which tasks: `--env.taskset.source core`, or a pack's folder, with `--env.taskset.split train`.
"""

from agents.adapters.verifiers import WorldsEnv, WorldsHarness, WorldsTaskset

__all__ = ["WorldsEnv", "WorldsHarness", "WorldsTaskset"]
