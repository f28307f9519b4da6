"""Packs: saved and read back the same, the same bytes twice, and damage gets one line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shed import SOUND, shed
from synthtools.catalog import splits
from synthtools.compile import compile_text
from synthtools.generate import Factory, generate_domain
from synthtools.pack import PackError, load_pack, save_pack
from synthtools.surface import Surface
from synthtools.task import Task

SHED = shed()
DROPPED = {"grounded": {"chain": 2}, "twins": {"forbidden": 1, "missing_tool": 3}}
FILES = ["domains/tool_shed.yaml", "manifest.json", "tasks.jsonl"]


@pytest.fixture(scope="module")
def tasks() -> tuple[Task, ...]:
    """Proven tasks of the shed, twins among them."""
    made = generate_domain(SHED, 30, 4).tasks
    assert any(task.twin for task in made)
    return made


@pytest.fixture
def saved(tmp_path: Path, tasks: tuple[Task, ...]) -> Path:
    """A pack on disk."""
    save_pack(tmp_path / "pack", {SHED.name: SHED}, tasks, dropped=DROPPED, seed=4)
    return tmp_path / "pack"


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_pack_read_back_is_the_pack(tmp_path: Path, tasks: tuple[Task, ...]) -> None:
    """Domains, tasks, seed, counts of rejects and digest."""
    pack = save_pack(tmp_path / "pack", {SHED.name: SHED}, tasks, dropped=DROPPED, seed=4)
    assert (pack.domains, pack.tasks, pack.seed, pack.dropped) == ({SHED.name: SHED}, tasks, 4, DROPPED)
    assert load_pack(tmp_path / "pack") == pack
    assert sorted(files(tmp_path / "pack")) == FILES


def test_the_folder_around_a_pack_will_do(saved: Path, tasks: tuple[Task, ...]) -> None:
    """`synthtools run` keeps its pack in `pack`."""
    assert load_pack(saved.parent).tasks == tasks


def test_tasks_can_be_left_out(saved: Path) -> None:
    """Then the tasks' file is not even looked at."""
    (saved / "tasks.jsonl").unlink()
    assert load_pack(saved, tasks=False).tasks == ()


def test_the_same_pack_twice_is_the_same_bytes(tmp_path: Path, tasks: tuple[Task, ...]) -> None:
    """Also where it is written over another one."""
    for folder in ("one", "two", "two"):
        save_pack(tmp_path / folder, {SHED.name: SHED}, tasks, dropped=DROPPED, seed=4)
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_another_surface_is_kept(tmp_path: Path) -> None:
    """A domain whose API was drawn anew is read back with it, and the pack is another."""
    drawn = compile_text(SOUND, surface=Surface(search="look_for", money="text", envelope="rows"))
    task = next(task for number in range(50) for task in Factory(drawn, 0).attempt("single", number))
    pack = save_pack(tmp_path, {drawn.name: drawn}, [task], dropped={}, seed=0)
    assert load_pack(tmp_path).domains == {drawn.name: drawn}
    assert pack.digest != save_pack(tmp_path, {SHED.name: SHED}, [task], dropped={}, seed=0).digest


def rewrite(name: str, change: Callable[[str], str]) -> Callable[[Path], object]:
    """A damage: the text of one file is another."""
    return lambda folder: (folder / name).write_text(change((folder / name).read_text()))


def manifest(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    """A damage: the manifest says something else."""

    def damage(folder: Path) -> None:
        data = json.loads((folder / "manifest.json").read_text())
        change(data)
        (folder / "manifest.json").write_text(json.dumps(data))

    return damage


def first_task(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    """A damage: the first task says something else."""

    def changed(text: str) -> str:
        line, _, rest = text.partition("\n")
        data = json.loads(line)
        change(data)
        return f"{json.dumps(data)}\n{rest}"

    return rewrite("tasks.jsonl", changed)


def in_manifest(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    """A damage: the manifest says something else of the domain."""
    return manifest(lambda data: change(data["domains"]["tool_shed"]))


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (shutil.rmtree, "no pack here"),
    "no manifest": (lambda folder: (folder / "manifest.json").unlink(), "no pack here"),
    "a manifest cut short": (rewrite("manifest.json", lambda text: text[:40]), "manifest.json: cannot be read"),
    "a manifest that is a folder": (lambda f: ((f / "manifest.json").unlink(), (f / "manifest.json").mkdir()), "manifest.json: cannot be read"),
    "another format": (manifest(lambda data: data.update(format=99)), "pack format 99"),
    "no tasks": (lambda folder: (folder / "tasks.jsonl").unlink(), "tasks.jsonl: cannot be read"),
    "a task too few": (rewrite("tasks.jsonl", lambda text: text[: text.rindex("\n", 0, -1) + 1]), "tasks where the manifest says"),
    "a task too many": (rewrite("tasks.jsonl", lambda text: text + text.splitlines()[0] + "\n"), "tasks where the manifest says"),
    "a task that is none": (rewrite("tasks.jsonl", lambda text: "{}\n" + text.partition("\n")[2]), "tasks.jsonl:1: not a task"),
    "a task cut short": (rewrite("tasks.jsonl", lambda text: text[:-30] + "\n"), ": not a task"),
    "no domain": (lambda folder: (folder / "domains/tool_shed.yaml").unlink(), "tool_shed.yaml: cannot be read"),
    "a domain that is no text": (lambda folder: (folder / "domains/tool_shed.yaml").write_bytes(b"\xff"), "tool_shed.yaml: cannot be read"),
    "another domain": (
        rewrite("domains/tool_shed.yaml", lambda text: text.replace("rows: 12", "rows: 13")),
        "differs from what the pack was made with",
    ),
    "task changed": (first_task(lambda task: task.update(request="Do nothing.")), "not those of the manifest's digest"),
    "a goal loosened": (first_task(lambda task: task["goal"].append({"changes": [], "outcome": "done", "about": ""})), "manifest's digest"),
    "the digest changed": (manifest(lambda data: data.update(digest="0" * 64)), "not those of the manifest's digest"),
    "a surface with a key too many": (
        in_manifest(lambda told: told["surface"].update(x=1)),
        "manifest.json: not the manifest of a pack (domains.tool",
    ),
    "a surface of the wrong type": (in_manifest(lambda told: told["surface"].update(page_size="ten")), "domains.tool_shed.surface"),
    "no split": (in_manifest(lambda told: told.pop("split")), "domains.tool_shed.split: Field required"),
    "another split": (in_manifest(lambda told: told.update(split="exam")), "domains.tool_shed.split"),
    "domains in a list": (manifest(lambda data: data.update(domains=["tool_shed"])), "(domains: "),
    "a domain out of the folder": (manifest(lambda data: data.update(domains={"../x": data["domains"]["tool_shed"]})), "(domains.../x"),
    "a seed in words": (manifest(lambda data: data.update(seed="four")), "(seed: "),
    "a difficulty in words": (first_task(lambda task: task.update(difficulty="hard")), "tasks.jsonl:1: not a task (difficulty: "),
    "a call without a name": (first_task(lambda task: task["solution"][0].update(name=7)), "tasks.jsonl:1: not a task (solution.0.name: "),
    "no solution": (first_task(lambda task: task.update(solution=[])), "tasks.jsonl:1: not a task (solution: "),
    "a reference to nothing": (
        first_task(lambda task: task["solution"][0]["arguments"].update(x={"$from": "a", "at": []})),
        "tasks.jsonl:1: not a task",
    ),
    "a world in words": (first_task(lambda task: task["start"].update(world="x")), "tasks.jsonl:1: not a task (start.world: "),
    "bad base64": (first_task(lambda task: task["start"].update(delta="!!!")), "tasks.jsonl:1: not a task (start.delta: "),
    "a line that is a list": (rewrite("tasks.jsonl", lambda text: "[]\n" + text.partition("\n")[2]), "tasks.jsonl:1: not a task"),
    "one id twice": (
        rewrite("tasks.jsonl", lambda text: text.splitlines()[0] + "\n" + text[: text.rindex("\n", 0, -1) + 1]),
        "tasks.jsonl:2: the task tool_shed/",
    ),
    "a task of no domain here": (first_task(lambda task: task.update(domain="shop")), "tasks.jsonl:1: the task"),
    "a task of another split": (first_task(lambda task: task.update(split="test")), "tasks.jsonl:1: the task"),
    "a start in another domain": (first_task(lambda task: task["start"].update(domain="0")), "begins in another version of"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_gets_one_line(saved: Path, name: str) -> None:
    """It names the file and says what to do."""
    damage, told = DAMAGES[name]
    damage(saved)
    with pytest.raises(PackError) as caught:
        load_pack(saved)
    message = str(caught.value)
    assert told in message
    assert str(saved) in message
    assert "\n" not in message
    assert "generate" in message


@pytest.mark.parametrize("text", ["[]", "null", "7", '{"format": 1}'])
def test_a_manifest_of_another_kind_gets_one_line_too(saved: Path, text: str) -> None:
    """JSON, but not a manifest."""
    (saved / "manifest.json").write_text(text)
    with pytest.raises(PackError) as caught:
        load_pack(saved)
    assert "\n" not in str(caught.value)


def test_a_split_that_is_not_the_fields_is_refused(tmp_path: Path, tasks: tuple[Task, ...]) -> None:
    """Also where the digest was made for it: the catalogue says which split a field is of."""
    field = next(field for field, split in splits().items() if split == "test")
    forged = compile_text(SOUND.replace(f"field: {SHED.field}", f"field: {field}"))
    moved = [replace(task, field=field, start=replace(task.start, domain=forged.digest)) for task in tasks]
    save_pack(tmp_path, {forged.name: forged}, moved, dropped={}, seed=0)
    with pytest.raises(PackError, match=f"the field {field} is of test, not of train"):
        load_pack(tmp_path)


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        ("setup", "UPDATE tool SET name = 'x'; RELEASE episode; SAVEPOINT episode", "RELEASE is not allowed"),
        ("setup", "PRAGMA foreign_keys = OFF", "must start with"),
        ("sql", "1); ATTACH '/tmp/nowhere.db' AS a; SELECT ('x'", "ATTACH is not allowed"),
    ],
)
def test_sql_of_a_strangers_pack_is_vetted_when_it_is_read(saved: Path, place: str, value: str, told: str) -> None:
    """The file and the line, and nothing of it has run."""
    lines = [json.loads(line) for line in (saved / "tasks.jsonl").read_text().splitlines()]
    if place == "setup":
        lines[1]["start"]["setup"] = [value]
    else:
        lines[1]["solution"][0]["arguments"]["x"] = {"$sql": value, "uses": {}}
    (saved / "tasks.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(PackError, match=told) as caught:
        load_pack(saved)
    assert str(caught.value).startswith(f"{saved / 'tasks.jsonl'}:2: ")
