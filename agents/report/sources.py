"""The graded runs of a report, and the episodes in them told one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agents.bench.evidence import Examiner
from agents.bench.grade import Episode, Graded, graded
from agents.report.steps import changes_by_call
from agents.report.story import Data, tell, tell_domain, tell_task
from agents.run import RunError
from agents.stored import Stored
from agents.summary import names_of
from agents.trajectory import Trajectory
from agents.validate import open_env
from synthtools.pack import Pack, load_pack

Progress = Callable[[int, int], None]
Place = tuple[str, str, int]
"""(agent's name, task, trial)."""


@dataclass(frozen=True, slots=True)
class How:
    """How episodes are carried out."""

    trust: bool = False
    progress: Progress | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """Episodes as pages tell them, and what they share."""

    stories: Mapping[Place, Data]
    tasks: Mapping[str, Data]
    domains: Mapping[str, Data]


def place_of(episode: Episode) -> Place:
    """What tells an episode from the others of its run."""
    return (episode.agent, episode.task, episode.trial)


def grade_all(folders: Sequence[Path], how: How) -> list[Graded]:
    """The grade of each run. Raises RunError where they are not of the same tasks."""
    runs = [graded(folder, trust=how.trust, progress=how.progress) for folder in folders]
    for folder, run in zip(folders, runs, strict=True):
        if run.label.digest != runs[0].label.digest:
            raise RunError(f"{folder}: is of other tasks than {folders[0]}; agents are held against one another at the same suite")
    return runs


def tell_all(folder: Path, episodes: Sequence[Episode], how: How) -> Told:
    """These episodes of a run, each carried out once more."""
    with Telling(folder, how) as telling:
        stories = {}
        for number, episode in enumerate(sorted(episodes, key=lambda one: one.domain), 1):
            stories[place_of(episode)] = telling.story(place_of(episode))
            if how.progress is not None:
                how.progress(number, len(episodes))
        return Told(stories, telling.tasks, telling.domains)


class Telling:
    """A run that tells its episodes, and remembers what tasks and domains of them are."""

    def __init__(self, folder: Path, how: How) -> None:
        """Raises RunError or PackError."""
        self._run = Stored(folder)
        try:
            self._pack: Pack = load_pack(folder / "pack", trust=how.trust)
        except BaseException:
            self._run.close()
            raise
        self._env = open_env(self._run, self._pack)
        self._examiner = Examiner(self._env)
        self._tasks = {task.id: task for task in self._pack.tasks}
        self._identities = {name: identity for identity, name in names_of(self._run.agents).items()}
        self.tasks: dict[str, Data] = {}
        self.domains: dict[str, Data] = {}

    def story(self, place: Place) -> Data:
        """One scored episode. Raises RunError where the run no longer holds what was graded."""
        agent, name, trial = place
        for trajectory in self._trajectories(self._identities.get(agent, ""), name, trial):
            task = self._tasks[name]
            evidence = self._examiner.examine(trajectory, task)
            if evidence is not None:
                domain = evidence.domain
                self.tasks.setdefault(name, tell_task(task, domain, evidence.reference.calls))
                self.domains.setdefault(domain.name, tell_domain(domain))
                return tell(trajectory, evidence, changes_by_call(self._env, trajectory, task))
        raise RunError(f"{self._run.folder}: trial {trial + 1} of {agent} at {name} is not what was graded; did another process change the run?")

    def _trajectories(self, identity: str, task: str, trial: int) -> Iterator[Trajectory]:
        quoted = [text.replace("'", "''") for text in (self._pack.digest, identity, task)]
        where = f"pack = '{quoted[0]}' AND agent = '{quoted[1]}' AND task = '{quoted[2]}' AND trial = {int(trial)}"
        for row in self._run.rows(where):
            yield row.trajectory()

    def close(self) -> None:
        """Let go of worlds and the file."""
        self._env.close()
        self._run.close()

    def __enter__(self) -> Telling:
        """Itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close."""
        self.close()
