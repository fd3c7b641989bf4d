"""Chromium, in which tests look at pages as a reader does."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
# No sandbox, for tests run as root too; nothing that asks somebody on the network; and a drawn
# camera.
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
)  # fmt: skip


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
