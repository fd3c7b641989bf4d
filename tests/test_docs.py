"""The pages for people say what is so."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from alexnet_tf.commands import VERBS, cli
from tests.support.pages import PAGES, commands, figures, sections
from tests.support.places import ROOT
from tests.tools.help import PAGE, help_page

# Every command in the documentation, once.
COMMANDS = sorted({command for page in PAGES if page != PAGE for command in commands(page)})

# Words that people search the documentation for.
SEARCHED = (
    "resume", "fine-tuning", "early stopping", "class weights", "mixed precision", "multi-label",
    "uninstall", "Apple silicon", "transfer learning", "data augmentation",
)  # fmt: skip


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


def parse(verb: str, words: list[str], **wanted: bool) -> None:
    """Parse the words after a verb; those that are its name alone only name it."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    import_module(f"alexnet_tf.commands.{verb}").add_arguments(parser, **wanted)
    if words and words != ["--help"]:
        cli.parse(parser, words)


@pytest.mark.parametrize("command", [each for each in COMMANDS if not each.startswith("make ")])
def test_a_command_on_a_page_is_one_that_the_program_takes(command):
    start, *words = shlex.split(command)
    if start == "python" and words[0] == "-m":
        start, words = words[1], words[2:]
    elif start == "python":
        start, words = words[0], words[1:]
    if start in ("train_alexnet.py", "predict_alexnet.py"):
        verb = start.removesuffix("_alexnet.py")
        parse(verb, words, **({"mode_first": True} if verb == "predict" else {}))
    elif start in ("alexnet-tf", "alexnet_tf"):
        assert words[0] in (*VERBS, "--version")
        if words[0] in VERBS:
            parse(words[0], words[1:])
    else:
        source = Path(find_spec(start).origin).read_text(encoding="utf-8")
        options = {word for word in words if word.startswith("--")}
        assert {option for option in options if f'"{option}"' not in source} == set()


@pytest.mark.parametrize("command", [each for each in COMMANDS if each.startswith("make ")])
def test_a_target_on_a_page_is_one_that_make_has(command):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    words = ["make", "--dry-run", *shlex.split(command)[1:]]
    done = subprocess.run(words, cwd=ROOT, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_table_of_figures_stands_with_the_command_that_measured_it(page):
    for heading, text in sections(page):
        own = text[text.rfind("\n#") + 1 :]
        if page != PAGE and len(figures(own)) > 3:
            assert re.search(r"python\s+(-m\s+)?[\w./]+|make\s+\w+|alexnet-tf\s+\w+", text), heading


@pytest.mark.parametrize("word", SEARCHED)
def test_what_people_search_for_is_on_a_page(word):
    pages = (page.read_text(encoding="utf-8").casefold() for page in PAGES if page != PAGE)

    assert any(word.casefold() in page for page in pages)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_extras_are_in_quotes_for_shells_that_know_brackets(page):
    lines = re.findall(r"pip install ([^`\n]*\[[^`\n]*)", page.read_text(encoding="utf-8"))

    assert [line for line in lines if not re.search(r"""(['"])[^'"]*\[[\w,]+\]\1""", line)] == []
