"""Reviews: kept once and never overwritten unseen, counted rightly, and taken from the server's own page alone."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.cli import invoke
from agents.report.sources import How, Telling
from agents.review.agreement import kappa, statistics
from agents.review.desk import Asked, Desk
from agents.review.server import ReviewServer
from agents.review.store import Changed, Decision, Reviews
from agents.run import RunError
from reported import HOSTILE, small_run

ROOT = Path(__file__).parent.parent
WRONG: list[dict[str, Any]] = [{"place": 12}, {"place": "1"}, {"verdict": "maybe"}, {"reviewer": "  "}, {"reviewer": "a\nb"}]
WRONG += [{"comment": "x" * 4001}, {"seen": -1}, {"another": 1}]
VERDICTS = st.sampled_from(["accept", "reject"])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a sample of twelve, in a folder of these tests' own."""
    folder = tmp_path_factory.mktemp("review") / "run"
    shutil.copytree(small_run(), folder)
    with Desk(folder, Asked(12, 3)) as desk:
        assert len(desk.entries) == 12
    return folder


@contextmanager
def serving(folder: Path) -> Iterator[ReviewServer]:
    """The server of a desk, at any free port."""
    with Desk(folder) as desk, ReviewServer(desk, 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def ask(server: ReviewServer, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    """Status and JSON of a request, made as the page makes it but for the headers that are given (an underscore stands for a hyphen)."""
    host = f"127.0.0.1:{server.server_port}"
    usual = {"Host": host, "Origin": f"http://{host}", "X-Token": server.token, "Content-Type": "application/json"}
    usual |= {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)) as connection:
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection.request("GET" if body is None else "POST", path, content, usual)
        answer = connection.getresponse()
        text = answer.read()
    return answer.status, json.loads(text) if answer.headers["Content-Type"] == "application/json" else text.decode()


def decision(place: int = 0, **changed: Any) -> dict[str, Any]:
    """A decision as the page sends it."""
    return {"reviewer": "Ada", "place": place, "verdict": "accept", "comment": "", "seen": 0, **changed}


def test_the_sample_is_of_many_kinds_and_stays(run: Path) -> None:
    """Successes and failures of every agent are in it; it is drawn once, and other wishes are refused in one line."""
    with Desk(run) as desk, Desk(run, Asked(12, 3)) as again:
        assert desk.entries == again.entries
        assert {entry["agent"] for entry in desk.entries} == {"solution", "random", "rule", "shouter"}
        assert {entry["success"] for entry in desk.entries} == {True, False}
        assert len({entry["cause"] for entry in desk.entries}) > 2
    with pytest.raises(RunError, match="drawn with --sample 12, not 13"):
        Desk(run, Asked(13))
    with pytest.raises(RunError, match="drawn with --seed 3, not 4"):
        Desk(run, Asked(seed=4))


def test_a_decision_is_never_overwritten_unseen(tmp_path: Path) -> None:
    """Two processes at one file: who saw the stored version may change it, who did not is told."""
    with Reviews(tmp_path) as one, Reviews(tmp_path) as two:
        one.begin({"sample": 2}, [{"task": "a"}, {"task": "b"}])
        two.begin({"sample": 1}, [{"task": "c"}])
        assert two.entries() == [{"task": "a"}, {"task": "b"}]
        assert one.decide(Decision("Ada", 0, "accept", "", 0)) == 1
        with pytest.raises(Changed):
            two.decide(Decision("ada", 0, "reject", "", 0))
        assert two.decide(Decision("Ada", 0, "reject", "no: the wrong boat", 1)) == 2
        with pytest.raises(Changed):
            one.decide(Decision("Ada", 0, "accept", "", 1))
        with pytest.raises(LookupError):
            one.decide(Decision("Ada", 2, "accept", "", 0))
        assert one.decisions() == [Decision("Ada", 0, "reject", "no: the wrong boat", 2)]
        assert one.decisions("Ben") == []


@pytest.mark.parametrize("earlier", [True, False])
@pytest.mark.parametrize("spellings", [("Ann", "ann", "ANN"), ("Élodie", "éLODIE", "E\u0301lodie"), ("Groß", "GROSS", "gross")])
def test_a_reviewer_is_one_however_the_name_is_written(spellings: tuple[str, str, str], earlier: bool, tmp_path: Path) -> None:
    """Under the first spelling, in decisions and statistics; also in a file that kept each spelling, as files did before."""
    with Reviews(tmp_path) as reviews:
        reviews.begin({"sample": 3}, [{"task": name} for name in "abc"])
        if earlier:
            with closing(apsw.Connection(str(tmp_path / "reviews.db"))) as database:
                rows = [(name, place) for place, name in enumerate(spellings)]
                database.executemany("INSERT INTO review VALUES (?, ?, 'accept', '', 1)", rows)
        else:
            for place, name in enumerate(spellings):
                assert reviews.decide(Decision(name, place, "accept", "", 0)) == 1
        with pytest.raises(Changed):
            reviews.decide(Decision(spellings[2], 0, "reject", "", 0))
        reviews.decide(Decision("Ben", 1, "accept", "", 0))
        assert reviews.decide(Decision(spellings[0], 1, "reject", "", 1)) == 2
        assert reviews.decide(Decision(spellings[2], 1, "accept", "", 2)) == 3
        found = [reviews.decisions(name) for name in spellings]
        assert found[0] == found[1] == found[2] == [Decision(spellings[0], place, "accept", "", 3 if place == 1 else 1) for place in range(3)]
        told = statistics(reviews.decisions(), 3)
    assert set(told["reviewers"]) == {spellings[0], "Ben"}
    (pair,) = told["pairs"]
    assert (pair["both"], pair["agreed"]) == (1, 1.0)


def test_many_reviewers_at_once_lose_nothing(run: Path) -> None:
    """Eight at the same time over HTTP, each through the whole sample, and one of them twice: every decision is there once."""
    with serving(run) as server, ThreadPoolExecutor(9) as threads:
        names = [f"reviewer {number}" for number in range(8)] + ["reviewer 0"]

        def all_of(name: str) -> list[int]:
            return [ask(server, "/decide", decision(place, reviewer=name))[0] for place in range(12)]

        statuses = list(threads.map(all_of, names))
        assert [status for one in statuses[1:8] for status in one] == [200] * 84
        assert all(sorted(pair) == [200, 409] for pair in zip(statuses[0], statuses[8], strict=True))
        made = server.desk.reviews.decisions()
    assert len(made) == 96
    assert {one.version for one in made} == {1}


def test_episodes_decisions_and_figures_over_http(run: Path) -> None:
    """The page's own script and nothing else may run; an episode is told whole; what is no decision is refused in words, and nothing is kept."""
    with serving(run) as server:
        status, page = ask(server, "/")
        assert status == 200
        assert page.count("<script") == 2
        assert "connect-src 'self'" in page
        status, told = ask(server, "/story?place=0")
        assert (status, told["entry"]) == (200, server.desk.entries[0])
        assert told["story"]["turns"]
        shouted = next(place for place, entry in enumerate(server.desk.entries) if entry["agent"] == "shouter")
        assert HOSTILE in json.dumps(ask(server, f"/story?place={shouted}")[1], ensure_ascii=False).replace('\\"', '"')
        assert ask(server, "/decide", decision(4, reviewer=" Eve ", comment="</script> ☂"))[0] == 200
        assert ask(server, "/decisions?reviewer=eve") == (200, {"4": {"verdict": "accept", "comment": "</script> ☂", "version": 1}})
        for path in ("/story?place=12", "/story?place=-1", "/story?place=x", "/story", "/nothing", "/decisions", "/../run.db"):
            assert ask(server, path)[0] == 404
        for wrong in WRONG:
            status, answer = ask(server, "/decide", decision(**{"reviewer": "Mallory", **wrong}))
            assert status in (400, 404)
            assert answer["error"]
        assert ask(server, "/decide", b"{" * 100)[0] == 400
        assert ask(server, "/decide", b"x" * 70_000)[0] == 413
        assert "Mallory" not in ask(server, "/summary")[1]["reviewers"]


def test_people_are_told_episodes_as_the_page_counts_them(run: Path) -> None:
    """From 1: for a newer decision, an episode that is not there, and a run that was changed. Places themselves stay from 0."""
    with serving(run) as server:
        assert ask(server, "/decide", decision(0, reviewer="Kit"))[0] == 200
        assert ask(server, "/decide", decision(0, reviewer="Kit")) == (409, {"error": "Kit has decided on episode 1 meanwhile"})
        assert ask(server, "/decide", decision(12, reviewer="Kit")) == (404, {"error": "the sample has no episode 13"})
        assert ask(server, "/story?place=12") == (404, {"error": "the sample has no episode 13"})
    entry = {**server.desk.entries[0], "trial": 40}
    with Reviews(run) as reviews, Telling(run, How()) as telling:
        assert [one.place for one in reviews.decisions("Kit")] == [0]
        with pytest.raises(RunError, match=f"trial 41 of {entry['agent']} at {entry['task']} is not what was graded"):
            telling.story((entry["agent"], entry["task"], entry["trial"]))


def test_only_this_machines_own_page_may_decide(run: Path) -> None:
    """Another name for this address, another origin, no token, a form's content type: refused, and nothing is kept."""
    with serving(run) as server:
        assert server.server_address[0] == "127.0.0.1"
        wrong: list[dict[str, str]] = [{"Host": "evil.example"}, {"Host": f"evil.example:{server.server_port}"}, {"Origin": "http://evil.example"}]
        wrong += [{"Origin": "null"}, {"X_Token": ""}, {"X_Token": "guess"}, {"Content_Type": "text/plain"}]
        for headers in wrong:
            assert ask(server, "/decide", decision(reviewer="Mallory"), **headers)[0] == 403
        assert ask(server, "/", Host="evil.example")[0] == 403
        assert ask(server, "/summary", Host="evil.example")[0] == 403
        assert "Mallory" not in ask(server, "/summary")[1]["reviewers"]
        assert ask(server, "/", Host=f"localhost:{server.server_port}")[0] == 200


@given(st.lists(st.tuples(VERDICTS, VERDICTS), max_size=30))
def test_agreement_is_counted_rightly(pairs: list[tuple[Any, Any]]) -> None:
    """Share and kappa against their definitions, written otherwise."""
    made = [Decision(name, place, pair[number], "", 1) for place, pair in enumerate(pairs) for number, name in enumerate(("Ada", "Ben"))]
    found = statistics(made, 40)
    assert found["decided"] == len(pairs)
    if not pairs:
        assert found["pairs"] == []
        return
    (pair,) = found["pairs"]
    n, same = len(pairs), sum(one == two for one, two in pairs)
    yes = [sum(entry[number] == "accept" for entry in pairs) / n for number in (0, 1)]
    chance = yes[0] * yes[1] + (1 - yes[0]) * (1 - yes[1])
    assert (pair["both"], pair["agreed"], sum(pair["counts"].values())) == (n, round(same / n, 4), n)
    assert pair["disagreed_on"] == [place for place, (one, two) in enumerate(pairs) if one != two]
    if pair["kappa"] is None:
        assert chance == pytest.approx(1)
    else:
        assert pair["kappa"] == pytest.approx((same / n - chance) / (1 - chance), abs=1e-4)


def test_kappa_of_a_known_table() -> None:
    """Cohen's formula on 20, 5, 10 and 15 of 50: 0.4."""
    assert kappa({("accept", "accept"): 20, ("accept", "reject"): 5, ("reject", "accept"): 10, ("reject", "reject"): 15}) == 0.4


def test_the_statistics_without_a_server(run: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """`--json` and `--summary` print them at once, with every decision; a run without reviews is one line, and so is a wish for another sample."""
    with Reviews(run) as reviews:
        for name, verdict in (("Lin", "accept"), ("Mo", "reject")):
            reviews.decide(Decision(name, 7, verdict, "why", 0))
    assert invoke(["review", str(run), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["sample"] == 12
    assert data["reviewers"]["Lin"] == {"accepted": 1, "rejected": 0, "left": 11, "share_accepted": 1.0}
    (pair,) = [pair for pair in data["pairs"] if pair["reviewers"] == ["Lin", "Mo"]]
    assert (pair["both"], pair["agreed"], pair["disagreed_on"]) == (1, 0.0, [7])
    (lin,) = [one for one in data["decisions"] if one["reviewer"] == "Lin"]
    assert (lin["place"], lin["verdict"], lin["comment"]) == (7, "accept", "why")
    assert invoke(["review", str(run), "--summary"]) == 0
    assert "Lin and Mo: agreed on 0.0 % of 1" in capsys.readouterr().out
    for folder, words in ((small_run(), "nobody has reviewed it yet"), (tmp_path, "no run here")):
        assert invoke(["review", str(folder), "--json"]) == 2
        printed = capsys.readouterr()
        assert (printed.out, printed.err.count("\n")) == ("", 1)
        assert words in printed.err
    for option, value in (("--sample", "12"), ("--seed", "3")):
        for shown in ("--json", "--summary"):
            assert invoke(["review", str(run), shown, option, value]) == 2
            printed = capsys.readouterr()
            assert (printed.out, printed.err.count("\n")) == ("", 1)
            assert f"{option} does not go together with {shown}" in printed.err
    (tmp_path / "reviews.db").write_text("no database, but a text that is long enough to be looked at as one" * 20)
    assert invoke(["review", str(tmp_path), "--json"]) == 2
    assert "is no file of reviews" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_a_signal(number: signal.Signals, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says where, goes on where it was, ends well, and leaves no journal beside either database; a port that is taken is one line."""
    code = "import sys; from agents.cli import main; main()"
    command = [sys.executable, "-c", code, "review", str(run), "--port", "0"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    restore = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731 - a shell's background jobs ignore it
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ, preexec_fn=restore) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        port = re.search(r"12 episodes to review at http://127\.0\.0\.1:(\d+)/", first)
        assert port
        assert invoke(["review", str(run), "--port", port[1]]) == 2
        assert f"--port {port[1]}: cannot be used" in capsys.readouterr().err
        process.send_signal(number)
        assert "The same command goes on." in process.stdout.read()
        assert process.wait() == 0
    assert {path.name for path in run.iterdir() if ".db" in path.name} == {"run.db", "reviews.db"}
