"""Reviewing in a real browser: by keyboard alone, on a phone, and two at once."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agents.review.desk import Asked, Desk
from agents.review.server import ReviewServer
from browser import Watched, launched, watched
from reported import small_run


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One for all of these tests."""
    with launched() as found:
        yield found


@pytest.fixture(scope="module")
def server(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReviewServer]:
    """With a sample of ten."""
    folder: Path = tmp_path_factory.mktemp("review") / "run"
    shutil.copytree(small_run(), folder)
    with serving(folder) as found:
        yield found


@contextmanager
def serving(folder: Path, port: int = 0) -> Iterator[ReviewServer]:
    """The server of a run's sample of ten."""
    with Desk(folder, Asked(10)) as desk, ReviewServer(desk, port) as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield found
        finally:
            found.shutdown()
            thread.join()


def begin(seen: Watched, name: str, place: int = 1) -> None:
    """Say who reviews, and wait for the episode."""
    seen.page.get_by_label("Your name").fill(name)
    seen.page.keyboard.press("Enter")
    at(seen, place)


def at(seen: Watched, place: int) -> None:
    """Wait until the episode of this number is shown."""
    seen.page.wait_for_function("hash => document.documentElement.dataset.shown === hash", arg=f"#/{place}")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_everything_can_be_read(browser: Any, server: ReviewServer, width: int, scheme: str) -> None:
    """The name, an episode before and after a decision, the agreement: contrast of at least 4.5, no scrolling sideways, this server alone."""
    with watched(browser, server.url, width=width, scheme=scheme) as seen:
        assert seen.contrast() == []
        begin(seen, f"{scheme} reader")
        seen.page.get_by_role("button", name="reject").click()
        at(seen, 2)
        seen.page.get_by_label("Episode 1: rejected").click()
        at(seen, 1)
        assert seen.page.get_by_role("button", name="reject").get_attribute("aria-pressed") == "true"
        assert (seen.contrast(), seen.overflow() <= 0) == ([], True)
        seen.page.get_by_role("button", name="agreement").click()
        seen.page.get_by_role("table", name="Reviewers").wait_for()
        assert (seen.contrast(), seen.overflow() <= 0) == ([], True)
        assert all(url.startswith((server.url, "data:,")) for url in seen.requests)


def test_the_keyboard_is_enough_and_one_goes_on_later(browser: Any, server: ReviewServer) -> None:
    """Comment, accept, reject, step, and come back under the same name at the first episode that is undecided."""
    with watched(browser, server.url) as seen:
        begin(seen, "Ada")
        seen.page.keyboard.press("c")
        seen.page.keyboard.type("a fine </script> episode: r a j")
        seen.page.keyboard.press("Escape")
        seen.page.keyboard.press("a")
        at(seen, 2)
        seen.page.keyboard.press("r")
        at(seen, 3)
        seen.page.keyboard.press("j")
        at(seen, 4)
        seen.page.keyboard.press("k")
        at(seen, 3)
        assert "Ada · 2 of 10 episodes decided" in seen.page.locator("#about").inner_text()
    with watched(browser, server.url) as seen:
        begin(seen, "Ada", 3)
        seen.page.keyboard.press("ArrowLeft")
        seen.page.keyboard.press("ArrowLeft")
        at(seen, 1)
        assert seen.page.get_by_label("Comment").input_value() == "a fine </script> episode: r a j"
    (first, second) = server.desk.reviews.decisions("Ada")
    assert (first.verdict, first.comment, second.verdict) == ("accept", "a fine </script> episode: r a j", "reject")


def test_two_reviewers_at_once(browser: Any, server: ReviewServer) -> None:
    """Each sees what they decided and not what the other did; one person in two windows is told, and overwrites nothing."""
    with watched(browser, server.url) as one, watched(browser, server.url) as two, watched(browser, server.url) as third:
        begin(one, "Ben")
        begin(two, "Cleo")
        begin(third, "Ben")
        one.page.keyboard.press("a")
        two.page.keyboard.press("r")
        at(one, 2)
        at(two, 2)
        assert two.page.get_by_label("Episode 1: rejected").count() == 1
        third.page.keyboard.press("r")
        third.page.get_by_text("Ben has decided on episode 1 meanwhile: accepted. Nothing was overwritten; decide again to change it.").wait_for()
        assert [made.verdict for made in server.desk.reviews.decisions("Ben")] == ["accept"]
        third.page.keyboard.press("r")
        at(third, 2)
        assert [(made.verdict, made.version) for made in server.desk.reviews.decisions("Ben")] == [("reject", 2)]
        third.complaints.clear()  # the browser itself reports the answer 409
        one.page.get_by_role("button", name="agreement").click()
        row = one.page.get_by_role("row", name="Ben and Cleo")
        row.wait_for()
        assert "100 %" in row.inner_text()


def test_a_comment_that_is_not_decided_outlives_the_server(browser: Any, tmp_path: Path) -> None:
    """It is there when the page is loaded anew, for this reviewer, episode and run alone; once it is decided the tab forgets it."""
    for name in ("one", "two"):
        shutil.copytree(small_run(), tmp_path / name / "run")
    with serving(tmp_path / "one" / "run") as server:
        port = server.server_port
        with watched(browser, server.url) as seen:
            begin(seen, "Dot")
            comment = seen.page.get_by_label("Comment", exact=True)
            comment.fill("the wrong boat")
            server.shutdown()
            server.server_close()
            with serving(tmp_path / "two" / "run", port):
                seen.page.reload()
                at(seen, 1)
                assert comment.input_value() == ""
            with serving(tmp_path / "one" / "run", port) as again:
                seen.page.get_by_role("button", name="reject").click()
                seen.page.get_by_text("load it anew").wait_for()
                seen.complaints.clear()  # the browser itself reports the answer 403
                seen.page.reload()
                at(seen, 1)
                assert comment.input_value() == "the wrong boat"
                seen.page.get_by_role("button", name="next").click()
                at(seen, 2)
                assert comment.input_value() == ""
                seen.page.get_by_label("Episode 1: undecided").click()
                at(seen, 1)
                seen.page.get_by_role("button", name="reject").click()
                at(seen, 2)
                assert [made.comment for made in again.desk.reviews.decisions("Dot")] == ["the wrong boat"]
                assert seen.page.evaluate("Object.keys(sessionStorage)") == ["reviewer"]
