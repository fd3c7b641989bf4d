"""A page that `export --format html` writes, asked as a reader does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

SECONDS = 120_000  # milliseconds, for machines that are busy otherwise
# The probabilities as wide as the bars are, by the names of the classes: a dictionary a picture.
WIDTHS = """() => {
  const width = (bar) => parseFloat(bar.querySelector("i").style.width) / 100;
  const named = (bar) => [bar.querySelector("bdi").textContent, width(bar)];
  const cards = [...document.querySelectorAll(".prediction")];
  return cards.map((card) => Object.fromEntries([...card.querySelectorAll(".bars li")].map(named)));
}"""


def open_offline(page, path: Path) -> None:
    """Open an exported page from its file, without a network."""
    page.set_default_timeout(SECONDS)
    page.context.set_offline(True)
    page.goto(path.as_uri())
    page.locator("body[data-ready]").wait_for()


def ask_page(page, files: Sequence[object], classes: Sequence[str]) -> np.ndarray:
    """Choose files; return the probabilities that their bars show, (n, classes)."""
    page.locator("#files").set_input_files([*map(str, files)])
    page.locator(f".prediction:nth-child({len(files)}) h2").wait_for()
    page.evaluate("new Promise(requestAnimationFrame)")
    shown = page.evaluate(WIDTHS)[: len(files)]
    return np.array([[each[name] for name in classes] for each in shown])
