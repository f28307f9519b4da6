"""A real browser for tests of pages: Debian's Chromium, driven by Playwright, with all that goes wrong in a page written down."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update"]
QUIET += ["--disable-sync", "--disable-default-apps", "--disable-extensions", "--no-first-run"]

CONTRAST = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const light = (colour) => {
    const [r, g, b] = rgba(colour).slice(0, 3).map((part) => linear(part / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (one) => {
    const found = one ? getComputedStyle(one).backgroundColor : 'white';
    return rgba(found)[3] === 255 ? found : behind(one.parentElement);
  };
  const poor = [];
  let looked = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const one = walker.currentNode.parentElement;
    const text = walker.currentNode.data.trim();
    if (!text || !one.checkVisibility() || one.closest('script, .hidden-words')) continue;
    const colour = one instanceof SVGElement ? getComputedStyle(one).fill : getComputedStyle(one).color;
    const [a, b] = [light(colour), light(behind(one))].sort((x, y) => y - x);
    looked += 1;
    if ((a + 0.05) / (b + 0.05) < 4.5) poor.push(`${text.slice(0, 40)}: ${colour} on ${behind(one)}`);
  }
  return { looked, poor };
}"""
"""Every text that can be seen, its colour held against the nearest background; those below 4.5 to 1."""


@contextmanager
def launched() -> Iterator[Any]:
    """The browser; the test is skipped where there is none, and fails where SYNTHTOOLS_BROWSER=required."""
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    missing = [] if program else ["Chromium (sh .ci/browser)"]
    missing += [] if importlib.util.find_spec("playwright") else ["playwright (the dev extra)"]
    if missing:
        stop = pytest.fail if os.environ.get("SYNTHTOOLS_BROWSER") == "required" else pytest.skip
        stop(f"there is no {' and no '.join(missing)} here")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=QUIET)
        yield browser
        browser.close()


@dataclass(slots=True)
class Watched:
    """A page, and what it asked for and complained about."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def contrast(self) -> list[str]:
        """Texts that are hard to read; there is some text."""
        found = self.page.evaluate(CONTRAST)
        assert found["looked"] > 5
        return list(found["poor"])

    def overflow(self) -> int:
        """Pixels by which the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))

    def focused(self) -> str:
        """The text, or else the name, of what has the focus."""
        return str(self.page.evaluate("(one => one.innerText || one.getAttribute('aria-label') || one.id)(document.activeElement)"))


@contextmanager
def watched(browser: Any, url: str, *, width: int = 1280, scheme: str = "light") -> Iterator[Watched]:
    """A page in a window of its own. At the end nothing has been complained about."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(15_000)
    seen = Watched(page)
    page.on("console", lambda message: seen.complaints.append(message.text))
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.on("request", lambda request: seen.requests.append(request.url))
    page.goto(url)
    yield seen
    context.close()
    assert seen.complaints == []
