"""The pages for people say what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.places import ROOT
from tests.tools.help import PAGE, help_page

PAGES = [
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("*/README.md"),
    *ROOT.glob("alexnet_tf/*/README.md"),
]


def tree_in(page: Path) -> dict[str, str]:
    """Read path → line from the tree of folders on `page`, whose levels are indented by two."""
    (tree,) = re.findall(r"```tree\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    lines: dict[str, str] = {}
    folders: list[str] = []
    for line in tree.splitlines():
        level = (len(line) - len(line.lstrip())) // 2
        name, _, words = line.strip().partition("  ")
        folders[level:] = [name.rstrip("/")]
        lines["/".join(folders)] = words.strip()
    return lines


def test_the_readme_is_read_in_one_sitting():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()

    assert len(lines) < 150


def test_every_module_has_its_line_in_the_design():
    lines = tree_in(ROOT / "docs" / "design.md")
    paths = [path.relative_to(ROOT) for path in ROOT.glob("alexnet_tf/**/*.py")]
    # A folder's line is that of its __init__.py.
    modules = {str(path.parent if path.name == "__init__.py" else path) for path in paths}

    assert {module for module in modules if not lines.get(module)} == set()


def test_every_line_of_the_design_is_of_something_that_exists():
    lines = tree_in(ROOT / "docs" / "design.md")

    assert [path for path in lines if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    targets = re.findall(r"\]\(([^)\s#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    relative = [target for target in targets if not re.match(r"\w+:", target)]

    assert [target for target in relative if not (page.parent / target).exists()] == []


def test_the_page_of_commands_is_current():
    """Where lines break may differ from one Python to the next; the words do not."""
    assert PAGE.read_text(encoding="utf-8").split() == help_page().split(), (
        "docs/help.md is out of date: python -m tests.tools.help"
    )
