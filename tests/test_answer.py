"""Answers: every sound way to say the right thing is taken, and nothing that is near, vague or covers all."""

from __future__ import annotations

import datetime
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from small import TEXT, tool_shed
from synthtools.answer import answers
from synthtools.goal import Answer

SHELF = "entities:\n  shelf: {id: {codes: [A1..A9]}, rows: 9, fields: {width_cm: {int: [40, 90]}}, described_by: ['{id}']}\n"
SHED = tool_shed(TEXT.replace("entities:\n", SHELF).replace("today:", "words: {out: [on loan, lent], no_show: [never came]}\ntoday:"))
"""Today is 2 March 2026."""

NUMBER, MONEY, DEBT = Answer("number", 25), Answer("money", 125050), Answer("money", -2500)
DATE, LATER = Answer("date", "2026-06-19"), Answer("date", "2027-01-03")
ID, CODE, IDS = Answer("id", "T-012"), Answer("id", "A3"), Answer("ids", ["T-012", "T-013", "T-020"])
WORD, TRUTH, PHONE = Answer("word", "no_show"), Answer("word", "True"), Answer("word", "+44 7896 816035")

ACCEPTED: list[tuple[Answer, list[Any]]] = [
    (
        NUMBER,
        [
            25,
            25.0,
            "25",
            "25.0",
            "25.00",
            " 25 ",
            "25.",
            "It is 25.",
            "25 loans",
            "25 cm",
            "25kWh",
            "€25",
            "25%",
            ["25"],
            [25],
            "25, that is 25.0",
        ],
    ),
    (
        MONEY,
        [
            1250.5,
            "1250.5",
            "1,250.50",
            "€1,250.50",
            "€ 1250.50",
            "1250.50 EUR",
            "EUR 1,250.50",
            "1,250.50€",
            "That comes to €1,250.50.",
            "125050 cents",
        ],
    ),
    (DEBT, [-25, "-25", "−25.00", "-€25", "€-25.00", "minus 25", "-25 EUR", "The balance is -25.00."]),
    (
        DATE,
        [
            *(
                "2026-06-19",
                "2026/06/19",
                "2026-06-19T00:00",
                "2026-06-19 09:30",
                "19 June 2026",
                "June 19, 2026",
                "19 Jun 2026",
                "19-Jun-2026",
                "Jun-19-2026",
                "June the 19th",
                "the 19th of June 2026",
            ),
            *(
                "Friday, 19 June 2026",
                "Jun. 19th, 2026",
                "19 June",
                "June 19th",
                "It ends on 19 June 2026.",
                "On 2026-06-19.",
                "19 June 2026 (2026-06-19)",
            ),
        ],
    ),
    (LATER, ["2027-01-03", "3 January 2027", "January 3rd, 2027"]),
    (
        ID,
        [
            "T-012",
            "t-012",
            "T-012.",
            "It is T-012.",
            "(T-012)",
            "'T-012'",
            ["T-012"],
            "that's t-012, due back on Friday",
            "T-012, the no-show one, 3 days late",
            "`T-012`",
            "#T-012",
            "T\u2011012",
            "tool No. T-012",
            "T-012 is not due back until Friday",
        ],
    ),
    (CODE, ["A3", "a3", "Shelf A3.", "On shelf A3, with 12 others"]),
    (
        IDS,
        [
            *(
                ["T-012", "T-013", "T-020"],
                ["t-020", "T-013", "T-012"],
                ["T-012", "T-012", "T-013", "T-020"],
                "T-012, T-013, T-020",
                "T-012, T-013 and T-020",
            ),
            *(
                "T-020 T-013 T-012",
                "T-012; T-013; T-020",
                "T-012\nT-013\nT-020",
                "- T-012\n- T-013\n- T-020",
                '["T-012", "T-013", "T-020"]',
                "T-012 & T-013 & T-020",
            ),
            "They are T-012, T-013 and T-020.",
        ],
    ),
    (WORD, ["no_show", "no show", "No-show", "NO SHOW.", '"no show"', "never came", ["no_show"], "noshow"]),
    (Answer("word", "O'Neil"), ["O\u2019Neil", "o'neil", "`O'Neil`"]),
    (Answer("word", "Zo\u00eb"), ["Zoe\u0308", "ZO\u00cb"]),
    (TRUTH, ["True", "true", "yes", "Yes."]),
    (PHONE, ["+44 7896 816035", "+447896816035", "+44 7896-816-035"]),
]

REJECTED: list[tuple[Answer, list[Any]]] = [
    (
        NUMBER,
        [
            24,
            26,
            25.01,
            250,
            -25,
            "−25",
            "minus 25",
            "25 or 26",
            "20-25",
            "25-30",
            "20 to 25",
            "25/26",
            "25 thousand",
            "25k",
            "25 cents",
            "25A",
            "T-25",
            "25.5.1",
        ]
        + ["", None, "many", "2026", ["25", "26"], [], '{"count": 25}', "1 of 25", "twenty"],
    ),
    (
        MONEY,
        [
            1250,
            1250.51,
            125050,
            "1.25",
            "€1,250.50 or €1,300",
            "1250.50 cents",
            "-1250.50",
            '{"id": "L-001", "price": 1250.5}',
            "1250.50 thousand",
        ],
    ),
    (DEBT, [25, "25", "€25.00", "25 EUR", "-25.01"]),
    (
        DATE,
        [
            *(
                "2026-06-18",
                "2026-06-20",
                "2025-06-19",
                "19 July 2026",
                "20 June 2026",
                "19 June 2025",
                "June 2026",
                "Friday",
                "the 19th",
                "2026",
                "",
                None,
            ),
            *(
                "19 or 20 June 2026",
                "19-20 June 2026",
                "20-19 June 2026",
                "June 19 or 20, 2026",
                "18 to 19 June",
                "2026-06-19 or 2026-06-20",
                "2026-06-19/20",
            ),
            *("19 June or 20 June", ["2026-06-19", "2026-06-20"], '{"ends": "2026-06-19"}', "2026-06-191"),
        ],
    ),
    (LATER, ["3 January", "2026-01-03", "January 3rd"]),
    (
        ID,
        [
            "T-013",
            "T-01",
            "T-0123",
            "012",
            "T-012 or T-013",
            "T-012, T-999",
            "T-012/T-013",
            ["T-012", "T-013"],
            "",
            None,
            "none",
            '{"id": "T-012"}',
            "the saw",
        ],
    ),
    (CODE, ["A4", "A3 or A4", "A", "A33", "shelves A3 to A5"]),
    (
        IDS,
        [
            *(["T-012", "T-013"], ["T-012", "T-013", "T-020", "T-021"], ["T-012", "T-013", "T-021"], [], "", None, 3, "3", "all of them"),
            *(
                "T-012, T-013",
                "T-012, T-013, T-020, T-021",
                '[{"id": "T-012"}, {"id": "T-013"}, {"id": "T-020"}]',
                "T-012 to T-020",
                "T-012T-013T-020",
                "T-012, T-013 or T-020",
                "T-012, T-013, T-020 and others",
                "all but T-012, T-013, T-020",
            ),
        ],
    ),
    (WORD, ["show", "no", "reserved", "no show or cancelled", "", None, ["no_show", "reserved"], "it is a no show", "out"]),
    (Answer("word", "Zo\u00eb"), ["Zoe", "not Zo\u00eb"]),
    (TRUTH, ["no", "False", "", 1]),
    (PHONE, ["+44 7896 816036", "816035", ""]),
]


HEDGES: dict[str, list[str]] = {
    "": [
        *("not {}", "It is not {}.", "It isn't {}.", "certainly not {}", "never {}", "anything but {}", "other than {}", "all except {}"),
        *("neither {}", "none of {}", "instead of {}", "it cannot be {}", "{} is wrong", "{} is not it", "It's {}? No.", "unlike {}"),
        *("{} or another", "{} or so", "{} or something", "{} or not", "not exactly {}", "rather than {}", "{} is not the answer"),
    ],
    "bound": [
        *("more than {}", "less than {}", "at least {}", "at most {}", "over {}", "under {}", "about {}", "around {}", "roughly {}"),
        *("no more than {}", "not less than {}", "nearly {}", "between {} and more", "up to {}", "above {}", "below {}", "~{}", ">{}", "<= {}"),
        *("{} or more", "{} or less", "{}, or more", "{} at least", "{} at most", "{}, at least", "{} and up", "{} or thereabouts", "approx. {}"),
    ],
    "number": ["{} loans or more", "{} days at most", "{}+", "fewer than {}", "{} more than last week", "{} too many", "twice {}", "half of {}"],
    "money": ["€{} a day or more", "more than €{}", "at least EUR {}", "{} EUR or less", "{}m", "{} m", "{}bn", "{} million", "{}+", "{} plus a fee"],
    "date": [
        *("{} or later", "{} or earlier", "before {}", "after {}", "since {}", "until {}", "no later than {}", "on or before {}", "from {} onwards"),
        *("not before {}", "{} at the latest", "the day after {}", "the week of {}", "{} and later", "not on {}", "earlier than {}", "{} or after"),
    ],
    "id": ["not tool {}", "not the {}", "the one after {}", "next to {}", "before {}"],
}
"""What takes a value back or leaves it open, for every type and for some."""

PLAIN = [
    *("{}", "It is {}.", "The answer is {}.", "The answer is {}, not more", "{}, no more and no less", "{}, and that is all", "**{}**", "`{}`"),
    *("No, it is {}.", "Not sure why you ask: {}", "I looked at more than one; it is {}.", "There is no doubt: {}", "After a look at the list: {}"),
    *("Yes, {}", "exactly {}", "{} in all", "'{}'", "Over the whole list, it is {}", "{} is right", "{} (as listed)", "It comes to {}", "so {}."),
    *(
        "At last: {}",
        "It is now {}",
        "{} it is",
        "that adds up to {}",
        "{}, if I am not mistaken",
        "It is not long: {}",
        "I found nothing else than the list. {}",
    ),
]
"""Sentences that say a value and nothing against it."""

SAID: list[tuple[Answer, list[str]]] = [
    (NUMBER, ["25", "25.0"]),
    (MONEY, ["1250.50", "1,250.50"]),
    (DATE, ["2026-06-19", "19 June 2026", "June 19th"]),
    (ID, ["T-012", "t-012", "#T-012"]),
]


@pytest.mark.parametrize(("wanted", "form"), [(a, f) for a, forms in SAID for f in forms], ids=repr)
def test_what_is_denied_or_left_open_is_no_answer(wanted: Answer, form: str) -> None:
    """`not 25` and `25 or more` hold the value and do not say it; ordinary sentences around it do."""
    own = HEDGES[wanted.type] + (HEDGES["bound"] if wanted.type != "id" else [])
    taken = [hedge for hedge in HEDGES[""] + own if answers(wanted, hedge.format(form), SHED, {})]
    refused = [plain for plain in PLAIN if not answers(wanted, plain.format(form), SHED, {})]
    assert (taken, refused) == ([], [])


@given(st.integers(0, 10**6), st.sampled_from(HEDGES[""] + HEDGES["bound"]), st.sampled_from(PLAIN))
def test_the_words_around_it_decide_whatever_the_number(number: int, hedge: str, plain: str) -> None:
    """Any number, denied or said."""
    assert not answers(Answer("number", number), hedge.format(number), SHED, {})
    assert answers(Answer("number", number), plain.format(number), SHED, {})


@given(st.text(min_size=1, max_size=20))
def test_a_word_is_itself_however_its_letters_are_composed(text: str) -> None:
    """A letter and its accent may be one character or two."""
    forms = {unicodedata.normalize(form, text) for form in ("NFC", "NFD")}
    assert len({answers(Answer("word", text), form, SHED, {}) for form in forms}) == 1


def cases(table: list[tuple[Answer, list[Any]]]) -> list[tuple[Answer, Any]]:
    """Each wanted answer with each given one."""
    return [(wanted, form) for wanted, forms in table for form in forms]


@pytest.mark.parametrize(("wanted", "form"), cases(ACCEPTED), ids=repr)
def test_sound_forms_are_taken(wanted: Answer, form: Any) -> None:
    """What a person would take for the right answer."""
    assert answers(wanted, form, SHED, {})


@pytest.mark.parametrize(("wanted", "form"), cases(REJECTED), ids=repr)
def test_other_answers_are_not(wanted: Answer, form: Any) -> None:
    """What is near, half, double, vague, or a result as it came."""
    assert not answers(wanted, form, SHED, {})


def test_generated_ids_go_by_their_names_in_the_episode() -> None:
    """An id that the solution made is another one in an episode that made others first."""
    assert answers(Answer("id", "L-900"), "L-955", SHED, {"L-900": "L-955"})
    assert not answers(Answer("id", "L-900"), "L-900", SHED, {"L-900": "L-955"})
    assert answers(Answer("ids", ["L-900", "L-901"]), ["L-901", "L-955"], SHED, {"L-900": "L-955"})


@given(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9))
def test_an_amount_is_itself_in_every_form_and_no_other(cents: int, other: int) -> None:
    """Numbers as numbers, as text, with separators and signs."""
    sign, size = "-" if cents < 0 else "", abs(cents) / 100
    forms = [cents / 100, f"{cents / 100:.2f}", f"{sign}€{size:,.2f}", f"{sign}{size:,.2f} EUR", f"In all {sign}{size:.2f}."]
    for form in forms:
        assert answers(Answer("money", cents), form, SHED, {})
        assert answers(Answer("money", other), form, SHED, {}) == (cents == other)


@given(st.dates(datetime.date(1950, 1, 1), datetime.date(2090, 12, 31)), st.integers(-400, 400))
def test_a_day_is_itself_in_every_form_and_no_other(day: datetime.date, off: int) -> None:
    """Dates in digits and in words."""
    other = day + datetime.timedelta(days=off)
    month = f"{day:%B}"
    forms = [
        day.isoformat(),
        f"{day.day} {month} {day.year}",
        f"{month} {day.day}, {day.year}",
        f"{day:%A}, {day.day} {month[:3]} {day.year}",
    ]
    for form in forms + ([f"{day.day} {month}", f"{month[:3]} {day.day}"] if day.year == 2026 else []):
        assert answers(Answer("date", day.isoformat()), form, SHED, {})
        assert answers(Answer("date", other.isoformat()), form, SHED, {}) == (off == 0)


@given(st.text(max_size=60), st.sampled_from([NUMBER, MONEY, DATE, ID, CODE, IDS, WORD]))
def test_no_text_breaks_it(text: str, wanted: Answer) -> None:
    """Whatever is given, there is a verdict; a text that does not name the value is not it."""
    assert answers(wanted, text, SHED, {}) in (True, False)
    assert not answers(wanted, "".join(c for c in text if not c.isalnum()), SHED, {})
