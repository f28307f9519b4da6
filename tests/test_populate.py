"""Start worlds: as many rows as asked for, rows that agree with each other, names that nearly collide, the same bytes anywhere."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import apsw
import pytest

from small import TEXT, tool_shed
from synthtools.catalog import catalog
from synthtools.domain import Domain
from synthtools.execute import make_checks
from synthtools.identifier import expand_codes
from synthtools.load import load_domain
from synthtools.populate import PopulationError, build_world, world_image
from synthtools.world import Image

ROOT = Path(__file__).parent.parent
CLINIC = """\
field: Testing
subdomain: little_clinic
about: Visits at a clinic.
today: 2026-03-02
entities:
  nurse: {id: {prefix: "", digits: 2}, rows: 40, fields: {name: person, badge: {int: [100, 999], unique: true}, since: {date: [2020-01-01, -30d]}}}
  room: {id: {codes: [R1..R3, Hall]}, rows: 8, fields: {beds: [1, 2]}}
  visit:
    id: {prefix: V, digits: 4}
    rows: 400
    fields:
      nurse: {ref: nurse, skew: 1.5}
      room: {ref: room, optional: 0.4}
      asked_on: {date: [-60d, -1d]}
      begun_at: {stamp: begun}
      ended_at: {stamp: ended}
      score: {int: [1, 5], only_in: [ended]}
      fee: {money: "1000 + 500 * (room IS NOT NULL)"}
      kind: {choice: {long: 9, short: 1}}
      pulse: {int: [40, 160], around: 70, step: 2, mostly: 70}
      minutes: {sum_of: slot, each: length}
    lifecycle: {asked: [begun, dropped], begun: [ended]}
    starts: {asked: 2, begun: 1, ended: {share: 3, when: "asked_on < date(:today, '-5 days')"}}
  slot:
    id: {prefix: S, digits: 5}
    rows: 700
    fields: {visit: {ref: visit, where: "state <> 'asked'"}, length: {int: [5, 40], step: 5}}
"""


def opened(image: Image) -> apsw.Connection:
    """A connection to a world."""
    connection = apsw.Connection(":memory:")
    connection.deserialize("main", image.data)
    return connection


@cache
def clinic() -> Domain:
    """The clinic's domain."""
    return tool_shed(CLINIC)


def column(sql: str, number: int = 0, rows: int = 1000) -> list[object]:
    """The first column of a query over a world of the clinic."""
    return [row[0] for row in opened(world_image(clinic(), number, rows)).execute(sql)]


@pytest.mark.parametrize("rows", [1, 100, 1000, 2500])
def test_rows_scale(rows: int) -> None:
    """Every table has its share of the rows asked for, and at least one."""
    connection = opened(build_world(clinic(), 0, rows))
    counts = {name: connection.execute(f'SELECT COUNT(*) FROM "{name}"').get for name in clinic().tables}
    assert counts == {
        "nurse": max(1, rows * 40 // 1000),
        "room": max(1, rows * 8 // 1000),
        "visit": max(1, rows * 400 // 1000),
        "slot": max(1, rows * 700 // 1000),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", tuple(catalog()))
def test_ten_thousand_rows_keep_every_invariant(name: str) -> None:
    """A world ten times the default size: about as many rows as asked for, references that lead somewhere, and no rule broken."""
    domain = load_domain(name)
    connection = opened(build_world(domain, 0, 10_000))
    assert 8000 < sum(connection.execute(f'SELECT COUNT(*) FROM "{table}"').get for table in domain.tables) < 12_000
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    assert [i.name for i in domain.invariants if connection.execute(i.broken, {"today": domain.today, "now": domain.now}).fetchall()] == []


@pytest.mark.parametrize("number", [0, 3, -1])
def test_sums_are_the_sums_of_their_parts(number: int) -> None:
    """In every kind of world, and not all of them nothing."""
    assert column("SELECT id FROM visit AS v WHERE minutes <> (SELECT COALESCE(SUM(length), 0) FROM slot WHERE visit = v.id)", number) == []
    assert len(set(column("SELECT minutes FROM visit", number))) > 2


def test_stamps_tell_the_way_to_the_state() -> None:
    """A state that was passed through has its moment, in order and never in the future; what is yet to come has none."""
    filled = column("SELECT DISTINCT state || (begun_at IS NOT NULL) || (ended_at IS NOT NULL) FROM visit ORDER BY 1")
    assert filled == ["asked00", "begun10", "ended11"]
    assert (
        column("SELECT id FROM visit WHERE begun_at > ended_at OR begun_at < asked_on OR MAX(begun_at, COALESCE(ended_at, '')) > '2026-03-02T09:00'")
        == []
    )


def test_states_agree_with_the_row() -> None:
    """Shares are kept roughly, `when` exactly; what belongs to one state is empty in others."""
    assert column("SELECT id FROM visit WHERE state = 'ended' AND asked_on >= '2026-02-25'") == []
    assert column("SELECT DISTINCT state || (score IS NULL) FROM visit ORDER BY 1") == ["asked1", "begun1", "ended0"]
    shares = Counter(column("SELECT state FROM visit"))
    assert shares["ended"] > shares["asked"] > shares["begun"] > 40


def test_references_follow_their_conditions_and_their_skew() -> None:
    """`where` holds for every row, some rows are busy and some have nothing, optional ones are empty about as often as said."""
    assert column("SELECT s.id FROM slot s JOIN visit v ON v.id = s.visit WHERE v.state = 'asked'") == []
    busy = Counter(column("SELECT nurse FROM visit"))
    assert busy.most_common(1)[0][1] > 3 * 400 / 40
    assert 0.3 < len(column("SELECT id FROM visit WHERE room IS NULL")) / 400 < 0.5


def test_values_are_spread_as_said() -> None:
    """Weights, the usual value, steps, unique values, and what follows from other fields."""
    kinds, pulses = Counter(column("SELECT kind FROM visit")), Counter(column("SELECT pulse FROM visit"))
    assert kinds["long"] > 5 * kinds["short"] > 0
    assert 0.45 < pulses[70] / 400 < 0.65
    assert {int(str(pulse)) % 2 for pulse in pulses} == {0}
    assert len(set(column("SELECT badge FROM nurse"))) == 40
    assert column("SELECT id FROM visit WHERE fee <> 1000 + 500 * (room IS NOT NULL)") == []


def test_names_nearly_collide() -> None:
    """Surnames repeat among people, so that a surname alone will not do."""
    domain = load_domain("marina_berths")
    names = [str(row[0]) for row in opened(world_image(domain, 0)).execute("SELECT name FROM holder")]
    surnames = Counter(name.split()[-1] for name in names)
    assert sum(number for number in surnames.values() if number > 1) > len(names) / 10
    boats = Counter(row[0] for row in opened(world_image(domain, 0)).execute("SELECT name FROM boat"))
    assert max(boats.values()) > 1


def test_ids_are_codes_or_numbers() -> None:
    """Codes in their order, then again with a number; a prefix and digits rising, with gaps."""
    assert column("SELECT id FROM room ORDER BY rowid") == ["R1", "R2", "R3", "Hall", "R1-2", "R2-2", "R3-2", "Hall-2"]
    ids = column("SELECT id FROM visit ORDER BY rowid")
    assert ids == sorted(set(map(str, ids)))
    assert {(str(i)[0], len(str(i))) for i in ids} == {("V", 5)}
    assert int(str(ids[-1])[1:]) > 500


def test_new_ids_come_after_those_there_are() -> None:
    """The counters of a world start above its greatest id."""
    counters = dict(world_image(clinic(), 0).counters)
    assert counters["visit"] == max(int(str(i)[1:]) for i in column("SELECT id FROM visit")) + 1


def test_runs_of_codes() -> None:
    """A run keeps its leading zeros; two different stems are no run."""
    assert [expand_codes(run) for run in ("A1..A3", "07..09", "Hall")] == [["A1", "A2", "A3"], ["07", "08", "09"], ["Hall"]]
    with pytest.raises(ValueError, match="no run of codes"):
        expand_codes("A1..B3")


def test_worlds_differ_by_number_and_size() -> None:
    """Another number, another world; a dense one is small."""
    images = [world_image(clinic(), number).data for number in (0, 1, 2, 3)]
    assert len(set(images)) == 4
    assert len(column("SELECT id FROM visit", -1)) < 100


def test_a_blueprint_that_contradicts_itself_says_which_entity() -> None:
    """Rows that can hardly ever keep their invariants are an error, not a world without them."""
    domain = tool_shed(TEXT.replace('sql: "begins < ends"', "sql: \"begins < ends AND begins > '2030-01-01'\""))
    with pytest.raises(PopulationError, match="rows of loan could be drawn"):
        build_world(domain, 0, 1000)


def test_the_same_bytes_whatever_the_hash_seed() -> None:
    """Another process with another PYTHONHASHSEED builds the same worlds."""
    code = (
        "import hashlib, sys; from synthtools.load import load_domain; from synthtools.populate import build_world;"
        "print([hashlib.sha256(build_world(load_domain('marina_berths'), n, 300).data).hexdigest() for n in (0, -1)])"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "SYNTHTOOLS_CACHE": ""}
    told = [
        subprocess.run([sys.executable, "-c", code], env={**environ, "PYTHONHASHSEED": seed}, check=True, capture_output=True, text=True).stdout
        for seed in ("1", "2")
    ]
    here = [hashlib.sha256(build_world(load_domain("marina_berths"), n, 300).data).hexdigest() for n in (0, -1)]
    assert told == [f"{here}\n"] * 2


MEETING = """\
field: Testing
subdomain: meetings
about: Who meets whom.
today: 2026-03-02
entities:
  office: {id: {prefix: O, digits: 4}, rows: 500, fields: {name: city}}
  host: {id: {prefix: H, digits: 4}, rows: 900, fields: {office: {ref: office, skew: 0}, desk: {int: [0, 999]}}}
  meeting:
    id: {prefix: M, digits: 4}
    rows: 900
    fields:
      office: {ref: office}
      host: {ref: host, where: "t.office = :office", optional: 0.01}
      place: {int: [0, 999]}
      other: {ref: host, where: "t.desk = :place"}
      before: {ref: meeting, where: "t.office = :office", optional: 0.01}
"""


@pytest.mark.parametrize("rows", [1000, 4000])
def test_a_reference_finds_the_few_rows_that_fit(rows: int) -> None:
    """By an index or without one, whatever the table's size; no more rows go without than must."""
    domain = tool_shed(MEETING)
    connection = opened(build_world(domain, 0, rows))
    joined = connection.execute("SELECT SUM(h.office <> m.office), COUNT(DISTINCT m.host) FROM meeting m JOIN host h ON h.id = m.host").fetchall()
    assert joined[0][0] == 0
    assert joined[0][1] > rows / 5
    alone = "SELECT COUNT(*) FROM meeting m WHERE m.host IS NULL AND EXISTS (SELECT 1 FROM host h WHERE h.office = m.office)"
    assert connection.execute(alone).get < rows * 0.9 * 0.04
    assert connection.execute("SELECT COUNT(*) FROM meeting m JOIN host h ON h.id = m.other WHERE h.desk <> m.place").get == 0
    assert connection.execute("SELECT COUNT(*) FROM meeting m JOIN meeting b ON b.id = m.before WHERE b.office <> m.office OR b.id >= m.id").get == 0


def test_a_call_checks_only_what_its_writes_can_break() -> None:
    """A write to a column that no invariant reads costs no look at the rows that hang on it."""
    domain = load_domain("clinic_roster")
    tool = next(tool for tool in domain.tools.values() if tool.key == "roster_duty")
    assert "shift" in make_checks(domain, tool.program.checks)
    assert list(make_checks(domain, tool.program.checks, tool.writes)) == ["duty"]
