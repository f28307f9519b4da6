"""Suites: the same tasks on any machine, known by their digest, chosen as their file says, and never others under the same name."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

from agents.bench import suite as module
from agents.bench.label import Label, tasks_digest
from agents.bench.suite import Definition, Suite, SuiteError, choose, load_suite, make_suite, read_suite, rebuilt, suites, write_suite
from synthtools.catalog import catalog
from synthtools.generate import generate_pack

OWN = """
name: own
version: 3
about: A few tasks of two trades.
canary: a text that stands nowhere else
pool: {seed: 5, tasks_per_domain: 70}
order: balanced
choose:
  - {kind: single, count: 4}
  - {kind: chain, count: 6, difficulty: [2, 4]}
  - {kind: forbidden, count: 2, refused: true}
splits:
  test:
    domains: [coach_tours, motor_claims]
    digest: ""    # not built yet
  validation:
    domains: [site_projects]
    digest: ""
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A suite of one's own, not built yet."""
    path = tmp_path / "own.yaml"
    path.write_text(OWN, encoding="utf-8")
    return path


def test_a_suite_is_built_then_loaded_and_is_the_same_again(file: Path) -> None:
    """Its file gets the digests; loading makes tasks of just these digests; nothing is left to write anew."""
    with pytest.raises(SuiteError, match=r"its digest is|their digest is \w{12}, not known; `synthtools suite build .*own.yaml` makes a new version"):
        load_suite(str(file))
    definition = read_suite(file)
    made = {split: make_suite(definition, split) for split in definition.splits}
    fresh, text = rebuilt(file, made)
    write_suite(file, text)
    assert (fresh.version, read_suite(file)) == (3, fresh)
    loaded = load_suite(str(file))
    assert loaded.tasks == made["test"].tasks
    assert loaded.label.digest == fresh.splits["test"].digest == tasks_digest(loaded.tasks)
    assert (loaded.label.name, loaded.label.version, loaded.label.canary) == ("own", 3, "a text that stands nowhere else")
    assert rebuilt(file, made) == (fresh, file.read_bytes())


def test_other_tasks_are_refused_and_are_a_new_version(file: Path) -> None:
    """One line says what to do; building raises the version and leaves the rest of the file as it was."""
    definition = read_suite(file)
    made = {"test": make_suite(definition, "test")}
    write_suite(file, file.read_text(encoding="utf-8").replace('digest: ""    # not', "digest: abc    # not").encode())
    with pytest.raises(SuiteError, match="the code that makes its tasks has changed.*not abc; `synthtools suite build") as caught:
        load_suite(str(file))
    assert "\n" not in str(caught.value)
    fresh, text = rebuilt(file, made)
    assert (fresh.version, fresh.splits["test"].digest, fresh.splits["validation"].digest) == (4, made["test"].label.digest, "")
    assert text.decode().splitlines()[:14] == [line.replace("version: 3", "version: 4") for line in OWN.splitlines()[:14]]


LAYOUTS = {
    "deeper": OWN.replace("    d", "        d").replace("  test:", "    test:").replace("  validation:", "    validation:"),
    "flow": OWN.partition("splits:")[0] + "splits: {test: {digest: '', domains: [coach_tours]}, validation: {domains: [site_projects], digest: ''}}",
    "another order": "splits:" + OWN.partition("splits:")[2] + OWN.partition("splits:")[0],
    "JSON": json.dumps(yaml.safe_load(OWN), indent=1),
    "quoted": OWN.replace("version: 3", '"version": 3').replace("digest:", "'digest' :"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_digests_are_put_in_however_a_file_is_laid_out(layout: str, file: Path) -> None:
    """Built anew it is a new version, and all else is as it was written."""
    file.write_text(LAYOUTS[layout], encoding="utf-8")
    made = {split: Suite(Label("own", 3, digest * 64, split, ""), 5, {}, ()) for split, digest in (("test", "a"), ("validation", "b"))}
    fresh, text = rebuilt(file, made)
    assert (fresh.version, fresh.splits["test"].digest, fresh.splits["validation"].digest) == (3, "a" * 64, "b" * 64)
    write_suite(file, text)
    assert read_suite(file) == fresh
    bare = text.decode().replace("a" * 64, "").replace("b" * 64, "")
    assert bare == re.sub("(digest['\"]? ?: ?)(''|\"\")", r"\1", LAYOUTS[layout])
    again, text = rebuilt(file, {**made, "test": Suite(Label("own", 3, "c" * 64, "test", ""), 5, {}, ())})
    assert (again.version, again.splits["test"].digest) == (4, "c" * 64)
    assert rebuilt(file, made) == (fresh, file.read_bytes())


def test_digests_that_cannot_be_put_in_are_said(file: Path) -> None:
    """Two variants that share one value cannot have two: one line with what to write, instead of nothing that has changed."""
    file.write_text(OWN.replace('digest: ""    #', 'digest: &none ""    #').replace('digest: ""\n', "digest: *none\n"), encoding="utf-8")
    made = {split: Suite(Label("own", 3, digest * 64, split, ""), 5, {}, ()) for split, digest in (("test", "a"), ("validation", "b"))}
    with pytest.raises(SuiteError, match="write by hand: a{64} as splits.test.digest, b{64} as splits.validation.digest") as caught:
        rebuilt(file, made)
    assert "\n" not in str(caught.value)


def test_it_comes_from_the_cache_only_where_it_is_whole(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made once; without a cache made again, and equal; another number of processes changes nothing."""
    monkeypatch.setenv("SYNTHTOOLS_CACHE", str(tmp_path / "cache"))
    definition = read_suite(file)
    told: list[tuple[int, int]] = []
    first = make_suite(definition, "test", workers=2, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (140, 140)
    told.clear()
    assert make_suite(definition, "test", progress=lambda done, total: told.append((done, total))).tasks == first.tasks
    assert told == []
    monkeypatch.setenv("SYNTHTOOLS_CACHE", "")
    assert make_suite(definition, "test").tasks == first.tasks


def test_rules_are_kept_and_turns_are_taken(file: Path) -> None:
    """As many of each kind, difficulty and end as the file says, of every domain, spread over difficulties; the hardest where they are asked for."""
    definition = read_suite(file)
    pool = generate_pack(["coach_tours", "motor_claims"], 45, seed=5).tasks
    chosen = choose(pool, definition)
    assert [task for task in pool if task in chosen] == chosen
    assert Counter(task.kind for task in chosen) == {"single": 4, "chain": 6, "forbidden": 2}
    assert all(2 <= task.difficulty <= 4 for task in chosen if task.kind == "chain")
    assert len({task.difficulty for task in chosen if task.kind == "chain"}) == 3
    assert all(task.goal.alternatives[0].outcome == "not_allowed" for task in chosen if task.kind == "forbidden")
    assert {task.domain for task in chosen if task.kind == "single"} == {"coach_tours", "motor_claims"}
    hardest = choose(pool, Definition.model_validate({**definition.model_dump(), "order": "hardest", "choose": [{"kind": "several", "count": 2}]}))
    for task in hardest:
        assert task.difficulty == max(other.difficulty for other in pool if other.kind == "several" and other.domain == task.domain)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("name: own", "named: own", "named: no such key; did you mean 'name'?"),
        ("version: 3", "version: 0", "version: Input should be greater than or equal to 1"),
        ("count: 4", "count: many", "choose.0.count: "),
        ("coach_tours", "marina_berths", "splits.test: marina_berths is no domain of the test split"),
        ("  validation:", "  dev:", "splits.dev: there is no split 'dev'"),
        ("pool: {", "pool: [", "is not YAML"),
    ],
)
def test_a_file_with_a_mistake_gets_one_line(old: str, new: str, words: str, file: Path) -> None:
    """Which file, where in it, and what."""
    file.write_text(OWN.replace(old, new), encoding="utf-8")
    with pytest.raises(SuiteError, match=re.escape(words)):
        read_suite(file)


def test_what_cannot_be_had_is_said(file: Path) -> None:
    """A suite that is not there, a variant that it has not, more tasks than its pool gives, a kind that nothing makes."""
    with pytest.raises(SuiteError, match=r"no such suite; did you mean 'core'\? there are core, hard, smoke"):
        load_suite("cor")
    with pytest.raises(SuiteError, match="has no variant of the train split; there are test, validation"):
        load_suite(str(file), "train")
    for old, new in (("count: 4", "count: 400"), ("kind: single", "kind: sonnet")):
        file.write_text(OWN.replace(old, new), encoding="utf-8")
        with pytest.raises(SuiteError, match=r"the pool has \d tasks of .*; raise pool.tasks_per_domain"):
            make_suite(read_suite(file), "validation")


def test_the_suites_that_ship_are_of_held_out_fields_and_sized_as_they_say() -> None:
    """500, 200 and 50 tasks, each with a text of its own to be told by, over every domain of its split."""
    shipped = {name: read_suite(path) for name, path in suites().items()}
    assert {name: definition.tasks for name, definition in shipped.items()} == {"core": 500, "hard": 200, "smoke": 50}
    assert len({definition.canary for definition in shipped.values()}) == len({definition.pool.seed for definition in shipped.values()}) == 3
    for name, definition in shipped.items():
        assert definition.name == name
        for split, variant in definition.splits.items():
            assert split != "train"
            assert sorted(variant.domains) == sorted(entry.name for entry in catalog().values() if entry.split == split)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["smoke", "core", "hard"])
def test_the_suites_that_ship_are_still_what_they_were(name: str) -> None:
    """Where the code that makes tasks has changed on purpose, `synthtools suite build` makes a new version."""
    definition = read_suite(module.suite_file(name))
    for split in definition.splits:
        loaded = load_suite(name, split)
        assert len(loaded.tasks) == definition.tasks
        assert {task.split for task in loaded.tasks} == {split}
