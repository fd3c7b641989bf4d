"""axe-core, which says what of a page not everybody can see, hear or reach."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest


@cache
def _axe() -> str:
    package = find_spec("axe_playwright_python")
    if not package:
        pytest.skip("needs axe-playwright-python")
    return Path(package.origin).with_name("axe.min.js").read_text("utf-8")


def violations(page) -> list[str]:
    """List what axe-core finds wrong with a page as it is: its rule, and the first element."""
    page.evaluate(_axe())
    # Elements that fade in have their final colours only after the transition.
    page.evaluate("Promise.all(document.getAnimations().map((each) => each.finished))")
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found["violations"]]
