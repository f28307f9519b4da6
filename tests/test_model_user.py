"""A model in the user's part, behind a real endpoint: heard where it keeps to the script, and flagged where it does not."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from typer.testing import CliRunner

from agents.agent import Opening, Turn, scripted
from agents.bench.grade import graded
from agents.budget import Budget
from agents.chat import Endpoint, Sampling
from agents.cli import app
from agents.cli.output import BadInput
from agents.model_user import PROMPT, ModelUser, ModelUsers, UnfaithfulUser, audit, portrait
from agents.report.report import make_report
from agents.rollout import Plan, rollout
from agents.stored import Stored
from agents.validate import validate_run
from endpoint import Reply, completion, serving
from envs import ToolEnv, worlds_of
from envs.speech import reply_of
from playing import coming_calls
from synthtools.generate import Factory
from synthtools.hearing import Topic
from synthtools.load import load_domain
from synthtools.pack import Pack, load_pack, save_pack
from synthtools.task import Task
from synthtools.tool import ToolCall
from synthtools.user import RESPOND, Decision, Fact, User, replies

BERTH = Fact("berth_id", "berth", Topic("row", ("berth",)), "berth C12")
NIGHTS = Fact("nights", "nights", Topic("number", ("nights",)), "4")
ASKED = User("plain", 1, "Book me a berth from 3 June.", (BERTH, NIGHTS))
DECLINES = User("plain", 1, "Cancel it.", decision=Decision(False, "No, leave it."))


@pytest.mark.parametrize(
    ("user", "heard", "said", "kind"),
    [
        (ASKED, ["Which berth?"], "That would be Berth C12, please.", ""),
        (ASKED, ["Which berth?"], "Berth C12, and for 4 nights.", "leak"),
        (ASKED, ["Which berth?", "How many nights?"], "4, at berth C12 as I said.", ""),
        (ASKED, ["Which berth?"], "Any will do.", "withheld"),
        (ASKED, ["Which berth?"], "Berth C12, and call me on 555-0100.", "invention"),
        (ASKED, ["Which berth?"], "Berth C12 from 3 June, as I said.", ""),
        (ASKED, ["Hello!"], "My mail is me@example.com.", "invention"),
        (ASKED, ["Hello!"], "Hello, what do you need?", ""),
        (ASKED, ["Hello!"], "Never mind. Goodbye.", "early_end"),
        (DECLINES, ["Shall I cancel it?"], "Please don't.", ""),
        (DECLINES, ["Shall I cancel it?"], "Yes, go ahead!", "decision"),
        (DECLINES, ["Shall I cancel it?"], "Hm.", "decision"),
    ],
)
def test_the_audit_tells_what_departs_from_the_script(user: User, heard: list[str], said: str, kind: str) -> None:
    """Facts nobody asked for, values of no script, facts not told, another decision, a goodbye; and lets other words pass."""
    found = audit(user, heard, replies(user, heard), said)
    assert (found[0] if found else "") == kind


def test_the_script_itself_passes_the_audit() -> None:
    """Whatever was asked before."""
    heard = ["Hello!", "Which berth?", "How many nights?", "What details are missing?", "Done. Anything else?"]
    script = replies(ASKED, heard)
    assert [audit(ASKED, heard[: n + 1], script[: n + 1], script[n].text) for n in range(len(heard))] == [None] * len(heard)


def test_what_the_user_was_shown_is_no_invention() -> None:
    """How a deed of theirs went stands in what they have said; nothing else does."""
    heard = ["Hello!", "And what does it say?"]
    for before, kind in ((["Done! It says S-00226 is cancelled."], ""), (["Done!"], "invention")):
        found = audit(ASKED, heard, replies(ASKED, heard), "It says S-00226.", before)
        assert (found[0] if found else "") == kind


@pytest.mark.parametrize("forked", [False, True])
def test_a_model_learns_how_what_it_did_went(forked: bool) -> None:
    """In the next turn it is shown each of its replies as the agent heard it, with the outcome; in a fork too."""
    task = next(task for number in range(60) for task in Factory(load_domain("marina_berths"), 11).attempt("dual_control", number) or ())
    assert task.user is not None
    assert task.user.deeds[0].able
    with serving(lambda _body: completion("Sure, I will.")) as (url, requests):
        env = ToolEnv(worlds_of([task], {task.domain: load_domain(task.domain)}), user=ModelUser(Sampling("tiny", PROMPT), Endpoint(url)))
        env.reset(options={"task": task})
        said = []
        for call in coming_calls(env):
            env.step(call)
            said += [reply_of(env.calls[-1][1].content)] if call.name == RESPOND.name else []
            if env.backend.changes():
                break
        env = env.fork() if forked else env
        env.step(ToolCall(RESPOND.name, {"text": "Thank you. How did it go?"}))
    assert said[-1].startswith("Sure, I will. ")
    assert [message["content"] for message in requests[-1]["messages"] if message["role"] == "assistant"] == said


@cache
def talking() -> tuple[Task, ...]:
    """A task of each kind with a user, of one domain."""
    factory = Factory(load_domain("marina_berths"), 5)
    found: list[Task] = []
    for kind in ("missing_information", "confirmation"):
        found += next(made for number in range(40) if (made := factory.attempt(kind, number)))
    return tuple(task_with(task, number) for number, task in enumerate(found))


def task_with(task: Task, number: int) -> Task:
    """The task with an id of its own."""
    return replace(task, id=f"marina_berths/{task.kind}/{number:04d}")


def pack_at(folder: Path) -> Pack:
    """A pack of them."""
    return save_pack(folder, {"marina_berths": load_domain("marina_berths")}, talking(), dropped={}, seed=5)


def faithful(body: dict[str, Any]) -> Reply:
    """Says what the script would, from what it is told of the person, in other words."""
    user = next(task.user for task in talking() if task.user and portrait(task.user) in body["messages"][0]["content"])
    heard = [message["content"] for message in body["messages"] if message["role"] == "user"]
    return completion(f"Well then. {replies(user, heard)[-1].text}")


def test_a_faithful_model_is_scored_validated_and_graded(tmp_path: Path) -> None:
    """The reference succeeds; records hold the model's own words, are valid when replayed, graded again and shown without the model."""
    pack = pack_at(tmp_path / "pack")
    with serving(faithful) as (url, requests):
        users = ModelUsers(Sampling("tiny", PROMPT), Endpoint(url))
        summary = rollout(Plan(pack, (scripted("solution"),), users=users), tmp_path / "run")
    assert (summary.added, summary.failures) == (len(talking()), 0)
    assert len(requests) == sum(step.name == "respond" for task in talking() for step in task.solution)
    assert "tools" not in requests[0]
    with Stored(tmp_path / "run") as run:
        rows = list(run.rows())
        assert all(row.success and row.valid and "Well then." in row.record for row in rows)
        assert all(verdict.valid for _, verdict in validate_run(run, pack))
    pack_at(tmp_path / "run" / "pack")
    assert graded(tmp_path / "run").as_json()["success"]["mean"] == 1.0
    report = make_report([tmp_path / "run"])
    assert report.shown == report.episodes == len(talking())
    assert b"Well then." in report.page


@pytest.mark.parametrize(("words", "kind"), [("Goodbye!", "early_end"), ("I live at 99999 Nowhere.", "withheld|invention|decision")])
def test_an_unfaithful_model_leaves_nothing_to_score(tmp_path: Path, words: str, kind: str) -> None:
    """Its episodes are lost, counted, and say why; they are nobody's failure."""
    pack = pack_at(tmp_path / "pack")
    with serving(lambda _body: completion(words)) as (url, _):
        users = ModelUsers(Sampling("tiny", PROMPT), Endpoint(url))
        summary = rollout(Plan(pack, (scripted("solution"),), users=users), tmp_path / "run")
    assert (summary.added, summary.failures) == (0, len(talking()))
    with Stored(tmp_path / "run") as run:
        reason, _ = run.lost_most_by()
    assert re.search(f"UnfaithfulUser: (?:{kind}): ", reason)


def test_a_user_that_does_not_answer_is_no_mistake_of_the_agent() -> None:
    """The script decides when it leaves; where nobody answers, that is our failure; and it can be copied while it is at it."""
    task = talking()[0]
    with serving(lambda _body: (500, {})) as (url, requests):
        user = ModelUser(Sampling("tiny", PROMPT), Endpoint(url, retries=1))
        user.begin(task)
        for other in (user, deepcopy(user), pickle.loads(pickle.dumps(user))):
            with pytest.raises(Exception, match="500"):
                other.hear("Which?")
        assert len(requests) == 6
    alone = ModelUser(Sampling("tiny", PROMPT), Endpoint("http://127.0.0.1:9/v1", retries=0))
    alone.begin(task)
    with pytest.raises(ConnectionError):
        alone.hear("Which?")
    with pytest.raises(ValueError, match="no user"):
        ModelUser(Sampling("tiny", PROMPT)).hear("Which?")


def counted(body: dict[str, Any]) -> Reply:
    """The same, for 70 tokens a time."""
    status, answer = faithful(body)
    return status, answer | {"usage": {"prompt_tokens": 60, "completion_tokens": 10, "total_tokens": 70}}


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_model_takes_as_a_user_is_counted_and_bounded(tmp_path: Path, workers: int) -> None:
    """Its own budget stops episodes without a failure, resuming goes on with what is left of it, and the grade says what it took."""
    pack = pack_at(tmp_path / "run" / "pack")
    with serving(counted) as (url, requests):
        users = ModelUsers(Sampling("tiny", PROMPT), Endpoint(url), Budget(tokens=1, prompt_price=5, completion_price=20))
        plan = Plan(pack, (scripted("solution"),), users=users)
        first = rollout(plan, tmp_path / "run", workers=workers)
        assert first.skipped > 0 == first.failures
        assert 1 <= len(requests) <= workers
        assert rollout(plan, tmp_path / "run", workers=workers).added == 0
        assert len(requests) <= workers
        more = replace(plan, users=replace(users, budget=replace(users.budget, tokens=10**6)))
        last = rollout(more, tmp_path / "run", workers=workers)
    assert (first.added + last.added, last.skipped) == (len(talking()), 0)
    grade = graded(tmp_path / "run").as_json()
    assert grade["success"]["mean"] == 1.0
    assert grade["user"] == {"tokens": 70 * len(requests), "money": pytest.approx(len(requests) * 500 / 1e6)}
    assert make_report([tmp_path / "run"]).figures["users"] == [{"run": "run", **grade["user"]}]
    assert grade["cost"]["tokens"] is None


@dataclass(slots=True)
class Payer:
    """Plays the reference, in one episode at a time or in several at once, and counts the turns that it was asked for."""

    reference: Any
    batch: int
    asked: list[str] = field(default_factory=list)
    name: str = "payer"
    identity: str = "payer"

    def begin(self, opening: Opening) -> None:
        """A seat of its own."""
        self.reference.begin(opening)

    def act(self, observations: Sequence[str]) -> Turn:
        """One turn of it."""
        self.asked.append("")
        return cast(Turn, self.reference.act(observations))

    def seat(self, opening: Opening) -> Place:
        """A place in which the reference plays."""
        reference = deepcopy(self.reference)
        reference.begin(opening)
        return Place(reference)

    def answer(self, seats: Sequence[Place]) -> list[Turn]:
        """A turn in each."""
        self.asked += [""] * len(seats)
        return [seat.next() for seat in seats]


@dataclass(slots=True)
class Place:
    """One of these: what was heard in it, for the reference."""

    reference: Any
    heard: Sequence[str] = ("",)

    def next(self) -> Turn:
        """The reference's next turn."""
        return cast(Turn, self.reference.act(self.heard))

    def take(self, turn: Turn) -> None:
        """Nothing is remembered of it."""

    def hear(self, observations: Sequence[str]) -> None:
        """The results of the last turn."""
        self.heard = observations


@pytest.mark.parametrize("batch", [1, 4])
def test_where_no_user_can_be_had_no_agent_begins(tmp_path: Path, batch: int) -> None:
    """An episode whose user may spend no more costs its agent nothing; one that is at it is given up without a failure."""
    pack, made = pack_at(tmp_path / "pack"), []

    def maker(tasks: Mapping[str, Task]) -> Any:
        made.append(Payer(scripted("solution")(tasks), batch))
        return made[-1]

    with serving(counted) as (url, requests):
        users = ModelUsers(Sampling("tiny", PROMPT), Endpoint(url), Budget(tokens=1))
        summary = rollout(Plan(pack, (maker,), users=users), tmp_path / "run")
        assert (summary.failures, len(requests)) == (0, 1)
        assert summary.skipped == len(talking()) - summary.added > 0
        assert made[0].asked
        again = rollout(Plan(pack, (maker,), users=users), tmp_path / "run")
    assert (again.skipped, again.failures, len(requests), made[1].asked) == (summary.skipped, 0, 1, [])


def test_a_fork_of_a_user_pays_from_the_same_account() -> None:
    """However often an environment was forked, a budget is one."""
    with serving(counted) as (url, _):
        user = ModelUser(Sampling("tiny", PROMPT), Endpoint(url))
        user.begin(talking()[0])
        other = deepcopy(user)
        for each in (user, other):
            each.hear("Hello!")
    assert user.account is other.account
    assert user.account.spent.tokens == 140


def test_what_is_wrong_has_a_kind() -> None:
    """For whoever catches it."""
    assert UnfaithfulUser("leak", "told the berth").kind == "leak"
    assert str(UnfaithfulUser("leak", "told the berth")) == "leak: told the berth"


def test_the_command_takes_a_user(tmp_path: Path) -> None:
    """`--user FILE.yaml` of rollout; a file that holds no such settings is told in one line."""
    pack_at(tmp_path / "pack")
    settings = tmp_path / "user.yaml"
    with serving(faithful) as (url, _):
        settings.write_text(f"model: tiny\nurl: {url}\n")
        command = ["rollout", str(tmp_path / "pack"), "--agent", "solution", "--user", str(settings), "--workers", "1"]
        done = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "run"), "--json"])
    assert done.exit_code == 0, done.output
    assert orjson.loads(done.stdout)["added"] == len(talking())
    for words, told in (("colour: red", "colour: no such key"), ("budget_money: 2", "give `prompt_price`")):
        settings.write_text(f"model: tiny\nurl: {url}\n{words}\n")
        wrong = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "other")])
        assert isinstance(wrong.exception, BadInput)
        assert told in str(wrong.exception)
    assert load_pack(tmp_path / "run" / "pack").digest == load_pack(tmp_path / "pack").digest
