"""The audit calls every tool, finds nothing in a sound domain, and names the call that shows what is wrong in another."""

from __future__ import annotations

import pytest

from shed import SOUND, shed
from small import tool_shed
from synthtools.audit import audit_domain
from synthtools.load import load_domain

_ALL_OF = "FROM neighbour WHERE id {} :neighbour_id\"\n    money"
_ANY_TOOL = "tools:\n  any_tool:\n    description: Some tool of the shed.\n    returns: SELECT COUNT(*) AS tools, name FROM tool\n"
_LOCKED = """tools:
  locked:
    description: Nothing.
    guards: [{require: '0', error: closed, message: Closed.}]
    returns: SELECT 1 AS one
"""
_CHARGE = "      - UPDATE neighbour SET fees = fees + :days * :tool.day_rate WHERE id = :neighbour_id\n"
_KNOWN = '      - {require: ":tool.id IS NOT NULL", error: no_such_tool, message: "No tool {tool_id}."}\n'
_LOST = "lifecycle: {in: [lost], out: [in], lost: [in, out]}"

FAULTS = {
    "a missing effect": (_CHARGE, "", "lend", "promise"),
    "a wrong amount": ("fees + :days * :tool.day_rate WHERE", "fees + :days * :tool.day_rate + 1 WHERE", "lend", "promise"),
    "a sum forgotten": (", loans = loans + 1 WHERE", " WHERE", "lend", "invariant"),
    "a step no lifecycle allows": ("lifecycle: {in: [out], out: [in]}", _LOST, "lend", "lifecycle"),
    "an unsupported refusal": (":tool.state = 'in'\",", ":tool.state = 'in' AND :days < 5\",", "lend", "forced effect"),
    "an error that cannot come": (":tool.id IS NOT NULL\",", ":tool.id IS NOT NULL OR 1\",", "lend", "unreached"),
    "an undocumented refusal": ('- {require: "EXISTS (SELECT 1', '- {require: "1 OR EXISTS (SELECT 1', "lend", "undocumented"),
    "two rows where one was meant": (_ALL_OF.format("="), _ALL_OF.format(">="), "lend", "crash"),
    "a false claim": ("cannot_break: [dates_reversed]", "cannot_break: [dates_reversed, taken]", "lend", "invariant"),
    "an answer that depends on the order of rows": ("tools:\n", _ANY_TOOL, "any_tool", "order"),
    "a row that is not there, answered as another fault": (_KNOWN, "", "lend", "unknown row"),
    "a message about nothing": (_KNOWN, "", "lend", "message"),
    "a tool that never succeeds": ("tools:\n", _LOCKED, "locked", "promise"),
}
"""What is wrong → what is written, what stands there instead, and the tool and check of the finding."""


def test_a_sound_domain_has_nothing_to_find() -> None:
    """Every call is right, every documented error is reached, nothing is left unaudited."""
    report = audit_domain(shed())
    assert report.failures == ()
    assert report.unaudited == ()
    assert (report.errors_reached, report.tools) == (report.errors_documented, len(shed().tools))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_and_named(fault: str) -> None:
    """The finding names the tool, the check that shows it, and a call."""
    written, instead, tool, check = FAULTS[fault]
    findings = audit_domain(shed(written, instead)).failures
    assert (tool, check) in {(finding.tool, finding.check) for finding in findings}


def test_a_finding_names_the_call_that_shows_it() -> None:
    """An author can repeat it: tool, arguments, world."""
    written, instead, *_ = FAULTS["a wrong amount"]
    finding = next(f for f in audit_domain(shed(written, instead), thorough=False).failures if f.check == "promise")
    assert 'lend({"' in finding.detail
    assert "in world -" in finding.detail


def test_a_tool_without_a_promise_is_never_passed() -> None:
    """It is reported as unaudited."""
    start, end = SOUND.index("    ensures:"), SOUND.index("    given:")
    report = audit_domain(shed(SOUND[start:end], ""))
    assert [(f.tool, f.check) for f in report.unaudited] == [("lend", "effect unaudited")]


def test_a_refusal_on_its_own_word_is_noted() -> None:
    """`because` lets a guard stand without an invariant behind it; the report says so unless the promise says the rule too."""
    guard = "      - {require: \":days < 5\", error: too_long, message: Too long., because: Short loans only.}\n    effects:"
    domain = shed("    effects:", guard)
    assert [(f.tool, f.check) for f in audit_domain(domain).unaudited] == [("lend", "refusal unaudited")]


@pytest.mark.parametrize(("bound", "faulty"), [(5, False), (3, True)])
def test_a_refusal_goes_as_far_as_the_promise_and_no_farther(bound: int, faulty: bool) -> None:
    """Where the promise says the rule, a guard that refuses more than it is a fault, whatever its `because`."""
    guard = f'      - {{require: ":days < {bound}", error: too_long, message: Too long., because: Short loans only.}}\n    effects:'
    text = SOUND.replace("    effects:", guard).replace("    ensures:", '    ensures:\n      - ":days < 5"')
    report = audit_domain(tool_shed(text))
    assert [(f.tool, f.check) for f in report.failures] == [("lend", "forced effect")] * faulty
    assert report.unaudited == ()


def test_the_same_seed_gives_the_same_report() -> None:
    """Two audits agree in every figure."""
    assert audit_domain(shed(), thorough=False) == audit_domain(shed(), thorough=False)


def test_the_marina_is_sound() -> None:
    """The reference domain of the catalogue passes a thorough audit."""
    report = audit_domain(load_domain("marina_berths"))
    assert report.failures == ()
    assert report.errors_reached == report.errors_documented
