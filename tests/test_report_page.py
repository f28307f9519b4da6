"""The report in a real browser, from a file: readable in light and dark and on a phone, by keyboard alone, without a single request."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.bench.evidence import Examiner
from agents.report import page as pages
from agents.report.report import make_report
from agents.report.story import tell
from agents.stored import Stored
from agents.trajectory import Step
from browser import launched, watched
from envs import ToolEnv
from reported import HOSTILE, small_run
from synthtools.pack import load_pack
from synthtools.tool import ToolCall, ToolResult


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One for all of these tests."""
    with launched() as found:
        yield found


@pytest.fixture(scope="module")
def address(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of a report of a small run."""
    file: Path = tmp_path_factory.mktemp("report") / "report.html"
    file.write_bytes(make_report([small_run()]).page)
    return file.as_uri()


def index(page: Any) -> list[dict[str, Any]]:
    """The episodes that the page lists."""
    return list(json.loads(page.locator("#data").text_content())["index"])


def place(entry: dict[str, Any]) -> str:
    """Its deep link."""
    return f"#/{entry['agent']}/{entry['task']}/{entry['trial']}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_everything_can_be_read(browser: Any, address: str, width: int, scheme: str) -> None:
    """Overview, list, a failure, a success and the help: contrast of at least 4.5, no scrolling sideways, nothing asked of any network."""
    with watched(browser, address, width=width, scheme=scheme) as seen:
        page = seen.page
        shown = index(page)
        failure = next(entry for entry in shown if entry["agent"] == "random")
        success = next(entry for entry in shown if entry["agent"] == "solution")
        assert page.locator("#overview table").count() >= 6
        for hash_ in ("#/", "#/episodes", place(failure), place(success), place(next(entry for entry in shown if entry["agent"] == "shouter"))):
            page.evaluate("hash => { location.hash = hash }", hash_)
            page.wait_for_function("hash => document.documentElement.dataset.shown === hash", arg=hash_)
            assert seen.contrast() == []
            assert seen.overflow() <= 0
        page.keyboard.press("?")
        assert page.locator("dialog").is_visible()
        assert seen.contrast() == []
        assert set(seen.requests) <= {address, "data:,"}
        assert page.title().endswith(" - first")


STICKING_OUT = """() => {
  const write = (chosen, text) => document.querySelectorAll(chosen).forEach((one) => { one.textContent = text });
  write(".pairs .number span:first-child", interval({ mean: -0.998, low: -1, high: -0.992 }));
  write(".plot:not(.single, .pairs) .number", interval({ mean: 0.995, low: 0.991, high: 0.998 }));
  const [range, out] = [document.createRange(), []];
  for (const cell of document.querySelectorAll(".plot .number")) {
    range.selectNodeContents(cell);
    const [text, bounds] = [range.getBoundingClientRect(), cell.getBoundingClientRect()];
    if (text.right > bounds.right + 1 || text.left < bounds.left - 1) out.push(cell.textContent);
  }
  return { cells: document.querySelectorAll(".pairs .number").length, out };
}"""
"""The longest figures there can be, put in every place, and those that do not fit there."""


@pytest.mark.parametrize("width", [1280, 360])
def test_the_longest_figures_fit(browser: Any, address: str, width: int) -> None:
    """Shares and differences near none and all are told to a tenth, and stay in their cells."""
    with watched(browser, address, width=width) as seen:
        figures = [0.004, -0.004, 0.0004, -0.0004, 0.042, 0.993, 0.9999, 1]
        assert seen.page.evaluate("figures => figures.map(whole)", figures) == ["0.4", "−0.4", "0", "0", "4", "99.3", "100", "100"]
        found = seen.page.evaluate(STICKING_OUT)
        assert found["cells"] >= 1
        assert found["out"] == []


def test_a_deep_link_opens_its_episode(browser: Any, address: str) -> None:
    """What was asked, what was called, what it changed, and what was wanted."""
    with watched(browser, address) as seen:
        entry = next(entry for entry in index(seen.page) if entry["agent"] == "solution" and "/several/" in entry["task"])
    with watched(browser, f"{address}{place(entry)}") as seen:
        page = seen.page
        page.get_by_role("heading", name=entry["task"]).wait_for()
        conversation = page.get_by_label("Conversation").inner_text()
        assert "finish(" in conversation
        assert page.get_by_label("Rows it changed").count() >= 1
        assert "✓ met" in page.locator(".verdict").inner_text()
        assert page.locator("#list [aria-current]").count() == 1
        page.locator(".skip").focus()
        page.keyboard.press("Enter")
        assert page.url.endswith(place(entry))
        page.evaluate("location.hash = '#/nobody/%E0%A4%A/0'")
        page.get_by_text("This report does not hold the episode").wait_for()


def test_what_an_agent_said_is_only_text(browser: Any, address: str) -> None:
    """Markup in arguments, answers and speech is shown as it stands, and has run nothing."""
    with watched(browser, address) as seen:
        entry = next(entry for entry in index(seen.page) if entry["agent"] == "shouter")
        seen.page.evaluate("hash => { location.hash = hash }", place(entry))
        seen.page.get_by_role("heading", name=entry["task"]).wait_for()
        assert HOSTILE in seen.page.get_by_label("Conversation").text_content()
        assert seen.page.locator("#reader img, #reader script").count() == 0
        assert "taken" not in seen.page.title()


def test_speech_and_faults_are_told_apart(browser: Any, tmp_path: Path) -> None:
    """What is said to the user and the reply read as speech, without JSON; a fault that was put in a tool's way is marked as one."""
    run = small_run()
    with Stored(run) as stored:
        row = next(stored.rows("success AND kind = 'chain'"))
    pack, trajectory = load_pack(run / "pack"), row.trajectory()
    env = ToolEnv(pack)
    evidence = Examiner(env).examine(trajectory, next(task for task in pack.tasks if task.id == row.task))
    env.close()
    assert evidence is not None
    asked = Step(0, ToolCall("respond", {"text": "Which boat, please?"}), ToolResult('{"reply":"The <Petrel>."}'))
    failed = Step(1, ToolCall("get_boat", {"id": "B-1"}), ToolResult('{"error":"unavailable"}', "unavailable", "unavailable"))
    story = tell(replace(trajectory, steps=(asked, failed)), evidence, [(), ()])
    figures = make_report([run], 1)
    data = json.loads(re.findall(r'id="data">(.*?)</script>', figures.page.decode(), re.DOTALL)[0])
    file = tmp_path / "report.html"
    file.write_bytes(pages.page("told", data, [story]))
    with watched(browser, f"{file.as_uri()}{place(data['index'][0])}") as seen:
        talk = seen.page.get_by_label("Conversation")
        talk.wait_for()
        assert talk.locator(".says").all_inner_texts()[1:] == ["Which boat, please?", "The <Petrel>."]
        assert talk.locator(".tag").all_inner_texts() == ["fault: unavailable"]
        assert "respond" not in talk.inner_text()
        assert seen.contrast() == []


def test_filters_and_search_narrow_the_list(browser: Any, address: str) -> None:
    """The count says so, the address keeps it, and words deep inside an episode are found and marked."""
    with watched(browser, f"{address}#/episodes") as seen:
        page, shown = seen.page, index(seen.page)
        random = [entry for entry in shown if entry["agent"] == "random"]
        page.get_by_label("agent", exact=True).select_option("random")
        page.get_by_text(f"{len(random)} of {len(shown)} episodes").wait_for()
        cause = random[0]["cause"]
        page.get_by_label("cause", exact=True).select_option(cause)
        few = sum(entry["cause"] == cause for entry in random)
        page.get_by_text(f"{few} of {len(shown)} episodes").wait_for()
        assert f"agent=random&cause={cause}" in page.url
        assert page.locator("#list a").count() == few
        page.get_by_role("button", name="clear").click()
        page.get_by_text(re.compile(rf"^{len(shown)} episodes$")).wait_for()
        shouted = sum(entry["agent"] == "shouter" for entry in shown)
        page.get_by_role("searchbox").fill("žluťoučký FETT")
        page.get_by_text(f"{shouted} of {len(shown)} episodes").wait_for()
        page.locator("#list a").first.click()
        page.locator(".heading").wait_for()
        assert page.evaluate("CSS.highlights.get('found').size") >= 2


def test_the_keyboard_is_enough(browser: Any, address: str) -> None:
    """From the search through the list into an episode, to the next and back; keys can be switched off; the list grows as one walks."""
    with watched(browser, address) as seen:
        page = seen.page
        page.keyboard.press("/")
        page.wait_for_function("() => document.activeElement.id === 'search'")
        page.keyboard.press("Escape")
        page.keyboard.press("j")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("k")
        page.keyboard.press("j")
        second = seen.focused()
        assert second == page.locator("#list a").nth(1).inner_text()
        page.keyboard.press("Enter")
        page.locator(".heading").wait_for()
        first = page.locator(".heading").inner_text(), page.url
        page.keyboard.press("j")
        page.wait_for_function("url => location.href !== url", arg=first[1])
        page.keyboard.press("j")  # before the one that was asked for is there
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowLeft")
        page.wait_for_function("url => location.href === url", arg=first[1])
        page.keyboard.press("Escape")
        page.wait_for_function("() => document.activeElement.matches('#list a')")
        assert seen.focused() == second
        for _ in range(110):
            page.keyboard.press("j")
        assert page.locator("#list a").count() > 111
        page.keyboard.press("?")
        page.locator("#keys").uncheck()
        page.keyboard.press("Escape")
        page.keyboard.press("/")
        assert page.evaluate("document.activeElement.id") != "search"
        page.keyboard.press("Escape")
        page.wait_for_function("() => location.hash === '#/'")


def test_packed_episodes_open_too(browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large report unpacks what is looked at, and searches all of it."""
    monkeypatch.setattr(pages, "LARGE", 0)
    file = tmp_path / "report.html"
    file.write_bytes(make_report([small_run()], 40).page)
    with watched(browser, f"{file.as_uri()}#/episodes?q=%C5%BElu%C5%A5ou%C4%8Dk%C3%BD") as seen:
        page = seen.page
        page.get_by_text(re.compile(r"^\d+ of 40 episodes$")).wait_for()
        page.locator("#list a").first.click()
        page.locator(".says", has_text="žluťoučký").first.wait_for()


def test_it_prints_the_episode_alone(browser: Any, address: str) -> None:
    """Without the list and the buttons, in light colours, everything unfolded."""
    with watched(browser, address, scheme="dark") as seen:
        page = seen.page
        entry = next(entry for entry in index(page) if entry["agent"] == "solution")
        page.evaluate("hash => { location.hash = hash }", place(entry))
        page.locator(".heading").wait_for()
        page.emulate_media(media="print")
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert not page.locator("#browse").is_visible()
        assert page.locator("#reader details:not([open])").count() == 0
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert seen.contrast() == []
