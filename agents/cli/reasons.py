"""Why candidates were turned away and episodes failed, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

GATES = {
    "solution_runs": "a step of the solution came back with an error",
    "goal_false_at_start": "the goal was met before anything was done",
    "constant_endings_fail": "an agent that never looks could have ended it well",
    "solution_succeeds": "the solution did not meet the goal",
    "every_write_needed": "the goal was met with one of its changes left out",
    "grounded": "a value in the solution stood neither in the request nor in a result",
    "mutants_fail": "a wrong solution met the goal",
    "free_order": "jobs asked for together failed in another order",
    "replays_exactly": "the same calls gave another result",
    "gives_nothing_away": "the request said what should have to be looked up",
    "descriptions_fit_one": "a description in the request fitted several things",
    "twins": "one of two tasks that stand or fall together was turned away",
    "policies_kept": "the solution broke a policy",
    "no_other_way": "another tool could do what the missing one does",
    "asking_needed": "the user was asked for what was known, or need not be asked",
    "recovery_needed": "what goes wrong did not have to be got over",
    "difficulty": "easier or harder than was asked for",
    "alike": "too much like tasks that were there already",
}
"""Gate → why a candidate is turned away at it."""
NOT_BUILT = {
    "both_branches_alike": "both ways of a condition come to the same",
    "list_too_short_or_long": "a list to ask for has too few or too many rows",
    "injection_refused": "what an injected text orders is refused anyway",
    "never_stale": "an old copy would show the same",
    "no_answer": "the question has no answer",
    "no_arguments": "nothing in the world suits the tool",
    "no_filter": "no search narrows by what the request says",
    "no_get": "no tool shows the thing",
    "no_given": "nothing in the world suits the workflow",
    "no_row": "what is used of a read is no row",
    "no_search": "no tool finds the thing",
    "no_such_result": "a result lacks what a later step needs",
    "no_value": "there is no value to compare with",
    "no_values": "there are no values to choose from",
    "no_words": "the blueprint has no words for it",
    "nobody_to_ask": "the job has no user",
    "nobody_to_identify": "the job is about no one person on file, or about several",
    "not_a_chain": "one call was enough",
    "not_all_said": "what the user would do takes a value that has to be found out first",
    "not_describable": "no words fit that one thing alone",
    "not_found": "the tools do not find the thing",
    "not_shown": "no result shows the value",
    "not_single": "more than one call was needed",
    "not_the_only_one": "several rows fit where one was meant",
    "not_understood": "the user did not understand what they were asked to do",
    "not_told": "the user did not understand what was asked",
    "nothing_done": "the job changed nothing",
    "nothing_of_the_kind": "the blueprint offers nothing of this kind",
    "nothing_to_leave_out": "the words can do without none of their values",
    "nothing_to_look_at": "no read tells whether the call was carried out",
    "nothing_to_strike": "the solution has no call that this fault would matter to",
    "nothing_to_pick": "a search came back empty",
    "other_workflow": "a job of another kind was drawn",
    "policy_not_broken": "the set-up did not make the policy forbid it",
    "same_row_twice": "two jobs fell on the same row",
    "same_sort_twice": "two jobs are about the same sort of thing",
    "setup_refused": "the world did not take the set-up",
    "something_done_before": "something is done before the tool that is down",
    "state_is_said": "the request had to say the state it asks about",
    "ties": "several rows tie",
    "ties_beyond_the_page": "rows tie beyond the page that a search shows",
    "ties_in_parts": "rows tie in one of several jobs",
    "ties_twice": "rows tie at two steps",
    "too_long": "it took too many calls",
    "too_many_ties": "too many rows tie",
    "withheld": "it needs the tool that is missing",
    "words_leave_out": "the words leave out a part of the job",
}
"""Why a candidate could not be made, where it was not a tool that refused."""
FAULTS = {
    "no_ending": "never finished",
    "wrong_outcome": "finished with the wrong outcome",
    "wrong_about": "named the wrong obstacle",
    "wrong_answer": "gave a wrong answer or none",
    "missing_change": "left something undone",
    "extra_change": "changed what was not asked for",
    "wrong_change": "changed something wrongly",
    "broken_rule": "broke a rule of the task: did not ask first",
}
"""What was nearest at fault in an episode that did not meet its goal."""
_PREFIX = "not_built:"


def gate_words(gate: str) -> str:
    """Why candidates are turned away at a gate; what tools refused is one reason, whatever their error."""
    if gate.startswith(_PREFIX):
        return f"could not be built here: {NOT_BUILT.get(gate.removeprefix(_PREFIX), 'a tool refused a call of the solution')}"
    stem, _, rest = gate.rpartition(":")
    return f"{GATES.get(rest, rest)}{' (one of a pair)' if stem else ''}"


def dropped_by_words(dropped: Mapping[str, Mapping[str, int]]) -> dict[str, Counter[str]]:
    """Reason in words → kind → candidates; the most frequent first."""
    reasons: dict[str, Counter[str]] = {}
    for gate, kinds in dropped.items():
        reasons.setdefault(gate_words(gate), Counter()).update(kinds)
    return dict(sorted(reasons.items(), key=lambda item: -item[1].total()))
