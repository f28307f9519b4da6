"""The report's data: what each call changed, what is shown of a run and what is left out, and that nothing in it can break the page."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.bench.causes import CAUSES
from agents.bench.grade import graded
from agents.cli import invoke
from agents.report import page as pages
from agents.report.pretty import pretty, readable
from agents.report.report import make_report
from agents.report.sample import choose, spread
from agents.report.sources import How, Telling, place_of
from agents.report.steps import between
from agents.run import RunError
from packs import small_pack
from reported import HOSTILE, TRIALS, other_run, small_run
from synthtools.goal import Change, Changes
from synthtools.pack import load_pack, save_pack

TASKS = len(load_pack(small_pack()).tasks)
CELLS = st.fixed_dictionaries({"name": st.sampled_from("abc"), "paid": st.integers(0, 2)})
WORLDS = st.dictionaries(st.sampled_from(["X-1", "X-2", "X-3"]), CELLS, max_size=3)

PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
JSON = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


def net(start: Mapping[str, Any], now: Mapping[str, Any]) -> Changes:
    """The net change from one state of a table to another."""
    found = []
    for key in sorted({*start, *now}):
        was, is_ = start.get(key), now.get(key)
        if was is None and is_ is not None:
            found.append(Change("thing", "insert", key, {}, is_))
        elif is_ is None and was is not None:
            found.append(Change("thing", "delete", key, was, {}))
        elif was is not None and is_ is not None and was != is_:
            names = [name for name in was if was[name] != is_[name]]
            found.append(Change("thing", "update", key, {name: was[name] for name in names}, {name: is_[name] for name in names}))
    return tuple(sorted(found, key=lambda change: (change.table, change.op, change.key)))


def parts(page: bytes) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The data and the stories that a page carries."""
    found = [json.loads(text) for text in re.findall(r'<script type="application/json" id="\w+">(.*?)</script>', page.decode(), re.DOTALL)]
    return found[0], found[1]


@given(WORLDS, WORLDS, WORLDS)
def test_what_a_call_changed_is_what_lies_between_two_net_changes(start: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> None:
    """Rows that came, went, came back, changed or changed back: as if the two states were compared themselves."""
    assert between(net(start, before), net(start, after)) == net(before, after)


def test_every_episode_is_told() -> None:
    """Requests, calls with their results and rows, the goal: of a success all is met, of a failure something is not, and its cause is given."""
    report = make_report([small_run()])
    data, stories = parts(report.page)
    assert report.episodes == report.shown == len(stories) == len(data["index"]) == 4 * TASKS * TRIALS
    assert data["left_out"] == f"All {report.shown} scored episodes can be read here."
    changed, deeds = 0, 0
    for entry, story in zip(data["index"], stories, strict=True):
        task = data["tasks"][entry["task"]]
        calls = [call for turn in story["turns"] for call in turn["calls"]]
        assert len(calls) == entry["calls"]
        assert task["request"]
        assert data["domains"][task["domain"]]["policies"]
        flaws = [one for one in story["expected"] if not one["met"]] + story["extra"]
        assert entry["success"] == (not flaws and story["ended_well"])
        assert entry["cause"] in ("", *CAUSES)
        assert bool(entry["cause"]) == (not entry["success"])
        if entry["agent"] == "solution":
            made = sorted(json.dumps([change["op"], change["table"], change["key"]]) for call in calls for change in call.get("changes", ()))
            wanted = sorted(json.dumps([change["op"], change["table"], change["key"]]) for change in story["expected"])
            assert set(wanted) <= set(made)
            changed += len(made)
            deeds += sum("said" in call and "changes" in call for call in calls)
            assert not any("said" in call and "changes" in call for call in calls if task["kind"] != "dual_control")
    assert changed > 20
    assert deeds == 2 * TRIALS  # of both domains, where the user can act


def test_the_figures_are_those_of_the_grade() -> None:
    """As `regrade` prints them, with every two agents compared."""
    data, _ = parts(make_report([small_run()]).page)
    grade = graded(small_run()).as_json()
    assert {name: {**figures, "trials": TRIALS} for name, figures in grade["agents"].items()} == data["agents"]
    assert len(data["compared"]) == 6
    assert data["compared"][:3] == grade["compared"]


def test_two_runs_are_held_against_one_another() -> None:
    """Agents of one name get that of their run; of other tasks is refused in one line."""
    data, stories = parts(make_report([small_run(), other_run()]).page)
    assert list(data["agents"]) == ["solution", "random", "rule (first)", "shouter", "rule (second)", "finish"]
    (pair,) = [one for one in data["compared"] if (one["before"], one["after"]) == ("rule (first)", "rule (second)")]
    assert (pair["difference"]["mean"], pair["p"]) == (0.0, 1.0)
    assert len(stories) == 6 * TASKS * TRIALS


def test_amounts_of_money_are_not_in_cents() -> None:
    """In columns that are money, and there alone."""
    with Telling(small_run(), How()) as telling:
        episodes = [episode for episode in graded(small_run()).of("solution") if episode.domain == "marina_berths"]
        cells = {}
        for episode in episodes:
            for change in telling.story(place_of(episode))["expected"]:
                cells |= {(change["table"], name): after for name, _, after in change["cells"] if after is not None}
    assert re.fullmatch(r"-?\d+\.\d\d", cells["stay", "price"])
    assert not any("." in text for (_, name), text in cells.items() if name in ("kwh", "length_cm"))


def test_nothing_that_an_agent_says_ends_a_script() -> None:
    """What it said is in the data, unharmed; the page has no script but its own, whose digest is in its policy, and names no other place."""
    page = make_report([small_run()]).page
    _, stories = parts(page)
    said = next(story for story in stories if HOSTILE in json.dumps(story, ensure_ascii=False) or story["turns"][0].get("text") == HOSTILE)
    assert said["turns"][0]["text"] == HOSTILE
    assert said["turns"][0]["calls"][1]["arguments"] == HOSTILE
    assert said["ending"]["answer"] == HOSTILE
    text = page.decode()
    assert text.count("<script") == text.count("</script>") == 3
    assert "<!--" not in text
    script = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) == {"http://www.w3.org/2000/svg"}


def test_a_large_report_is_compressed_episode_by_episode(monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds the same; and the same run gives the same bytes."""
    _, stories = parts(make_report([small_run()], 30).page)
    monkeypatch.setattr(pages, "LARGE", 0)
    page = make_report([small_run()], 30).page
    data, packed = parts(page)
    assert data["packed"] is True
    assert [json.loads(gzip.decompress(base64.b64decode(text))) for text in packed] == stories
    assert make_report([small_run()], 30).page == page


def test_what_is_left_out_is_said() -> None:
    """Failures come first, a tenth is kept for successes, and every agent, kind and cause has its turn."""
    episodes = graded(small_run()).episodes
    failed = [episode for episode in episodes if not episode.success]
    chosen = choose(episodes, 40)
    assert len(chosen.episodes) == 40
    assert sum(episode.success for episode in chosen.episodes) == 4
    assert f"40 of {len(episodes)} scored episodes can be read here: 36 of {len(failed)} failures and 4 of" in chosen.words
    assert [place_of(one) for one in chosen.episodes] == [place_of(one) for one in episodes if one in chosen.episodes]
    assert {(one.agent, one.cause) for one in spread(failed, 80)} == {(one.agent, one.cause) for one in failed}
    assert spread(failed, 40, 1) != spread(failed, 40, 2)
    assert "all" in choose(episodes, len(failed) + 5).words


@given(JSON)
def test_json_is_laid_out_and_stays_what_it_was(value: Any) -> None:
    """However it is broken into lines; what is no JSON is left alone."""
    assert json.loads(pretty(value, width=20)) == value
    assert readable("{no json") == "{no json"
    assert readable('{"price": 216.0, "id": 12345678901234567890123}') == '{"price": 216.0, "id": 12345678901234567890123}'


def test_the_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """It writes the file whole and says what it holds; what cannot be done is one line."""
    small_run(), other_run()
    capsys.readouterr()
    out = tmp_path / "report.html"
    assert invoke(["report", str(small_run()), "--against", str(other_run()), "--out", str(out), "--trajectories", "20", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["out"], data["bytes"], data["shown"]) == (str(out), out.stat().st_size, 20)
    assert data["agents"]["solution"]["success"]["mean"] == 1.0
    assert invoke(["report", str(small_run()), "--out", str(out), "--trajectories", "5"]) == 0
    assert f"5 of {4 * TASKS * TRIALS} scored episodes can be read here" in capsys.readouterr().out
    run, same = str(small_run()), small_run().parent / "." / small_run().name / "pack" / ".."
    (mine := tmp_path / "mine.yaml").write_text("field: Mine\n", encoding="utf-8")
    for arguments, words in (
        ([str(tmp_path)], "no run here"),
        ([run, "--out", str(tmp_path / "no" / "x.html")], "there is no folder"),
        ([run, "--against", str(same)], "is this very run; give another of the same tasks"),
        ([run, "--out", str(mine)], "mine.yaml: is there already, and is none that this command wrote; remove it, or give another --out"),
        ([run, "--out", "/dev/null"], "--out /dev/null: is there already"),
        ([run, "--out", "/proc/r.html"], "--out /proc/r.html: cannot be written (No such file or directory); give a file in a place that is yours"),
    ):
        assert invoke(["report", *arguments]) == 2
        printed = capsys.readouterr()
        assert (printed.out, printed.err.count("\n")) == ("", 1)
        assert words in printed.err
    assert mine.read_text(encoding="utf-8") == "field: Mine\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.yaml", "report.html"]


def test_a_run_of_other_tasks_is_refused(tmp_path: Path) -> None:
    """Agents are held against one another at the same tasks only."""
    pack = load_pack(small_run() / "pack")
    save_pack(tmp_path / "pack", pack.domains, pack.tasks[:3], dropped={}, seed=pack.seed)
    suite = ["--suite", str(tmp_path / "pack"), "--split", "all", "--workers", "1"]
    assert invoke(["bench", "--agent", "finish", *suite, "--out", str(tmp_path / "part"), "--json"]) == 0
    with pytest.raises(RunError, match="is of other tasks than"):
        make_report([small_run(), tmp_path / "part"])
