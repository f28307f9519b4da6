"""SQL, words, steps and values of a blueprint: what cannot work is one line at its place, and nothing of it ever runs."""

from __future__ import annotations

import pytest

from synthtools.compile import compile_text
from synthtools.source import BlueprintError
from workshop import WORKSHOP, rewritten, workshop

ESCAPE = "1); COMMIT; VACUUM INTO '/tmp/nowhere.db'; BEGIN; SELECT (1"
MONEY = "price: {money: part.price}"
WHERE = "where: \"state IN ('on_stand', 'ready', 'collected')\""
KIND = 'kind: {sql: "SELECT DISTINCT name FROM part WHERE stock > 0"}'
FORBID = "UPDATE repair SET paid = 0 WHERE id = :repair_id"

STATEMENTS = [
    (MONEY, f'price: {{money: "{ESCAPE}"}}', "closes nothing"),
    (MONEY, 'price: {money: "abs(random()) % 1000"}', "random() is not allowed"),
    (MONEY, "price: {money: \"unixepoch('now')\"}", "reads the host's clock"),
    (MONEY, 'price: {money: "(SELECT COUNT(*) FROM pragma_database_list)"}', "not a table of the domain"),
    (MONEY, 'price: {money: "nosuchfn(1)"}', "no such function"),
    (MONEY, "price: {money: part.prize}", "has no field 'prize'"),
    (MONEY, 'price: {money: "1, 2"}', "row value misused"),
    (MONEY, 'price: {money: "1\\0"}', "NUL"),
    ("stock: {int: [0, 12]}", 'stock: {int: "prize + 1"}', "did you mean 'price'?"),
    ("due: {date: [+0d, +20d]}", 'due: {date: {after: "random()", days: [1, 2]}}', "random() is not allowed"),
    ("when: paid = 1", f'when: "{ESCAPE}"', "closes nothing"),
    ("when: paid = 1", "when: payd = 1", "did you mean 'paid'?"),
    (WHERE, f'where: "{ESCAPE}"', "closes nothing"),
    (WHERE, "where: state = :nothing", ":nothing is unknown here"),
    (KIND, 'kind: {sql: "SELECT 1; RELEASE episode; SAVEPOINT episode"}', "RELEASE is not allowed"),
    (KIND, 'kind: {sql: "SELECT name FROM part WHERE stok > 0"}', "did you mean 'stock'?"),
    (KIND, 'kind: {sql: "SELECT name, id FROM part"}', "2 columns where one value was meant"),
    (KIND, 'kind: {int: [1, "random()"]}', "random() is not allowed"),
    (KIND, 'kind: {date: [":jub + 3", "+9d"]}', "did you mean 'job'?"),
    (KIND, "kind: {entity: prt}", "did you mean 'part'?"),
    ("part_id: {entity: part, where: stock > 0}", "part_id: {entity: part, where: stok > 0}", "did you mean 'stock'?"),
    (FORBID, "UPDATE repair SET payd = 0 WHERE id = :repair_id", "did you mean 'paid'?"),
    (FORBID, FORBID + "; RELEASE episode; SAVEPOINT episode", "RELEASE is not allowed"),
    (FORBID, "UPDATE repair SET paid = 0 WHERE id = :repair", "did you mean 'repair_id'?"),
    (FORBID, "PRAGMA foreign_keys = OFF", "must start with"),
]
WORDS = [
    ('"{name} at {price}"', '"{nam} at {price}"', "did you mean 'name'?"),
    ('"{name} at {price}"', '"{name.first}"', "no reference"),
    ('"{name} at {price}"', '"{name at"', "a lone brace"),
    ("book {bike_id} in", "book {bik_id} in", "did you mean 'bike_id'?"),
    ("start_repair: [", "strat_repair: [", "did you mean 'start_repair'?"),
    ("{repair_id} needs {part_id}", "{repair_id} needs {prt_id}", "did you mean 'part_id'?"),
    ("cheapest {kind} we", "cheapest {knd} we", "did you mean 'kind'?"),
    ('described_by: ["{name} at {price}"]', 'described_by: ["{name}"]\n    questions: {prise: ["what is {it}"]}', "did you mean 'price'?"),
    ('described_by: ["{name} at {price}"]', 'described_by: ["{name}"]\n    questions: {price: ["what is {this}"]}', "{this} names nothing"),
    ("tempts: hand_over", "tempts: hand_ovr", "did you mean 'hand_over'?"),
]
STEPS = [
    ("{call: fit_part", "{call: fit_prt", "did you mean 'fit_part'?"),
    ("{repair_id: job.id, part_id", "{repair_idd: job.id, part_id", "did you mean 'repair_id'?"),
    ("{repair_id: job.id, part_id: part.id}", "{repair_id: job.id}", "needs 'part_id'"),
    ("part_id: part.id}", "part_id: prt.id}", "did you mean 'part'?"),
    ("part_id: part.id}", "part_id: part.idd}", "did you mean 'id'?"),
    ("{repair_id: job.id, part_id", "{repair_id: job.bike.ownr, part_id", "bike has no field 'ownr'"),
    ("{name: kind}", "{name: kind.name}", "plain value"),
    ("{name: kind}", "{name: {sql: \"1); ATTACH '/tmp/nowhere.db' AS a; SELECT (1\"}}", "ATTACH is not allowed"),
    ("{name: kind}", "{name: {sql: \":knd || 's'\"}}", "did you mean 'kind'?"),
    ("{name: kind}", "{name: {sq: kind}}", "neither {value"),
    ("pick: {lowest: price}", "pick: {lowest: prise}", "did you mean 'price'?"),
]
VALUES = [
    ("name: {pool: [bottom", "nick: {pool: surnmes}\n      name: {pool: [bottom", "did you mean 'surnames'?"),
    ("today: 2026-06-12", "today: 2026-13-45", "month must be in 1..12"),
    ("today: 2026-06-12", 'today: 2026-06-12\nopens: "99:99"', "hour must be in 0..23"),
    ("today: 2026-06-12", 'today: 2026-06-12\nopens: "20:00"', "open earlier"),
    ("[+0d, +20d]", "[+0d, +99999999d]", "no day of the calendar"),
    ("[+0d, +20d]", "[+20d, +0d]", "swap its ends"),
    ("[+0d, +20d]", "[2026-02-30, +0d]", "no day of the calendar"),
    ("stock: {int: [0, 12]}", "stock: {int: [12, 0]}", "swap its ends"),
    ("stock: {int: [0, 12]}", "stock: {int: [0, 99999999999999999999]}", "does not fit into 64 bits"),
    ("id: {prefix: P-, digits: 3}", "id: {codes: [A9..B10]}", "both ends need the same letters"),
    ("id: {prefix: P-, digits: 3}", "id: {codes: [A9..A1]}", "the lower end first"),
    ("id: {prefix: P-, digits: 3}", "id: {codes: [A1..A3000000]}", "no run of 1 to 10,000 codes"),
    ("id: {prefix: P-, digits: 3}", "id: {codes: [A1..A9999, B1..B9999]}", "more than 10,000 codes"),
    ("prefix: F-", "prefix: R-", "ids look like those of 'repair'"),
    ("prefix: F-", "prefix: R-1", "ids look like those of 'repair'"),
]


def told(text: str) -> str:
    """The one line that a text gets."""
    with pytest.raises(BlueprintError) as caught:
        compile_text(text, "workshop.yaml")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("workshop.yaml:")
    return message


@pytest.mark.parametrize(("right", "wrong", "what"), [*STATEMENTS, *WORDS, *STEPS, *VALUES])
def test_what_cannot_work_is_one_line_at_its_place(right: str, wrong: str, what: str) -> None:
    """File, line, what and the mend; the line is within two of where the change was made."""
    text = rewritten(right, wrong)
    message = told(text)
    assert what in message
    changed = WORKSHOP[: WORKSHOP.index(right)].count("\n") + 1
    assert abs(int(message.split(":")[1]) - changed) <= 2 or "today" in right or "prefix" in right


def test_the_workshop_itself_compiles() -> None:
    """So that each mistake above is the only one."""
    assert workshop().name == "bicycle_workshop"


def test_a_blueprint_has_no_aliases_and_no_endless_parts() -> None:
    """Seven lines of aliases stand for millions of words; a list can hold itself; neither is read."""
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]" for a, b in zip("abcdef", "bcdefg", strict=True)]
    assert "the alias *a is not taken" in told("\n".join(lines))
    assert "the alias *a is not taken" in told("a: &a [*a]")
    assert "nested more than" in told("a: " + "[" * 60 + "]" * 60)
    assert "not YAML" in told("a: " + "[" * 100_000)
    assert "longer than 1,000,000 characters" in told("#" * 1_000_001)
    assert "too large" in told("a: " + "9" * 400 + ".0")
