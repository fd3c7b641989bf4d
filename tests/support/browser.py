"""Chromium, in which tests look at pages and use them as a reader does."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
# No sandbox, for tests run as root too; nothing that asks somebody on the network; and a drawn
# camera.
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
)  # fmt: skip
# The label of the element that has the focus.
LABEL = "() => (document.activeElement.ariaLabel ?? document.activeElement.textContent).trim()"


def chromium() -> str | None:
    """Find the system's Chromium."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def browsing() -> Iterator:
    """Start a browser of Playwright's for as long as a block runs; skip the test without one."""
    playwright = pytest.importorskip("playwright.sync_api")
    if not chromium():
        pytest.skip("needs Chromium (apt-get install chromium)")
    with playwright.sync_playwright() as opened:
        browser = opened.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield browser
        browser.close()


def drop_paths(page, place: str, *paths: Path) -> None:
    """Drop files or folders on the first element of that selector, below its middle."""
    box = page.locator(place).first.bounding_box()
    at = {"x": box["x"] + 40, "y": box["y"] + box["height"] - 20}
    data = {"items": [], "files": [*map(str, paths)], "dragOperationsMask": 1}
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, **at, "data": data})


def tab_to(page, label: str) -> None:
    """Press the Tab key until the focus is on what begins with that label."""
    for _ in range(50):
        page.keyboard.press("Tab")
        if page.evaluate(LABEL).startswith(label):
            return
    raise AssertionError(f"the Tab key does not reach {label}")
