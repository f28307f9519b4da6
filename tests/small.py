"""A tiny blueprint for tests of the language itself: every part of it in thirty lines."""

from __future__ import annotations

from synthtools.compile import compile_text
from synthtools.domain import Domain

TEXT = """\
field: Testing
subdomain: tool_shed
about: A shed of tools that neighbours borrow.
today: 2026-03-02
entities:
  neighbour:
    id: {prefix: N-, digits: 3}
    rows: 12
    called: [neighbour]
    fields:
      name: person
      fees: {money: [0, 900], default: 0}
    offers: [search, get, create, update]
    described_by: ["{name}"]
    says: {update_neighbour: ["change the name of {it} to {name}"]}
  tool:
    id: {prefix: T-, digits: 3}
    rows: 10
    fields:
      name: {pool: [drill, saw, ladder, sander, spade, rake], repeats: 0.3}
      day_rate: {money: [100, 500]}
      loans: {sum_of: loan, each: "1"}
    lifecycle: {in: [out], out: [in]}
    verbs: {in: bring_back}
    described_by: ["the {name}"]
  loan:
    id: {prefix: L-, digits: 3}
    rows: 14
    fields:
      tool: {ref: tool}
      neighbour: {ref: neighbour}
      begins: {date: [-20d, +5d]}
      ends: {date: {after: begins, days: [1, 3]}}
    keeps:
      in_order: {sql: "begins < ends", error: dates_reversed}
      once: {no_overlap: [begins, ends], per: tool, error: taken}
    offers: [search, get, create, count]
tools:
  lend:
    description: Lend a tool that is in, for some days from today.
    parameters: {tool_id: {refers_to: tool}, neighbour_id: {refers_to: neighbour}, days: {type: integer, minimum: 1, maximum: 9}}
    let: {tool: "SELECT id, state, day_rate FROM tool WHERE id = :tool_id"}
    guards:
      - {require: ":tool.id IS NOT NULL", error: no_such_tool, message: "No tool {tool_id}."}
      - {require: "EXISTS (SELECT 1 FROM neighbour WHERE id = :neighbour_id)", error: no_such_neighbour, message: "No neighbour {neighbour_id}."}
      - {require: ":tool.state = 'in'", error: is_out, message: "{tool_id} is {tool.state}."}
    effects:
      - >
        INSERT INTO loan (id, tool, neighbour, begins, ends)
        VALUES (new_id('loan'), :tool_id, :neighbour_id, :today, date(:today, '+' || :days || ' days'))
      - UPDATE tool SET state = 'out', loans = loans + 1 WHERE id = :tool_id
      - UPDATE neighbour SET fees = fees + :days * :tool.day_rate WHERE id = :neighbour_id
    returns: "SELECT id, fees, :days * :tool.day_rate AS charged FROM neighbour WHERE id = :neighbour_id"
    money: [charged]
    asked_as: ["lend {tool_id} to {neighbour_id} for {days} days"]
policies:
  no_debtors:
    text: Who owes more than 20.00 borrows nothing.
    broken_when: SELECT 1 FROM added_loan l JOIN neighbour n ON n.id = l.neighbour WHERE n.fees > 2000
    tempts: lend
"""


def tool_shed(text: str = TEXT) -> Domain:
    """The domain of the text."""
    return compile_text(text, "tool_shed.yaml")
