"""How much a container, and each episode in it, may use."""

from __future__ import annotations

from dataclasses import dataclass

from synthtools.sandbox.confine import WorkerLimits

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one container and its workers."""

    memory_mb: int = 1024
    """Of the whole container, swap included."""
    cpus: float = 2.0
    """All that the engine has, where those are fewer."""
    episodes: int = 256
    """Live at once in one container."""
    scratch_mb: int = 16
    """All scratch folders together, in memory."""
    inodes: int = 1024
    call_seconds: float = 10.0
    """Total time of one call, however much of its answer has come."""
    start_seconds: float = 20.0
    """Until a container is ready; and until a worker is, a toolkit's import included."""
    worker_memory_mb: int = 256
    """Address space of one worker beyond what it starts with."""
    worker_cpu_seconds: int = 120
    """Processor time of one episode."""
    worker_files: int = 64

    @property
    def worker(self) -> WorkerLimits:
        """Of one worker."""
        return WorkerLimits(self.worker_memory_mb * MIB, self.worker_cpu_seconds, self.worker_files, self.scratch_mb * MIB)
