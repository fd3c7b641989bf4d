"""The pages for people: where they are, and what they tell a reader to type."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.places import ROOT

PAGES = [
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("*/README.md"),
    *ROOT.glob("alexnet_tf/*/README.md"),
]
# A command of this program, after a prompt and `nohup`, up to where the shell's syntax goes on.
START = r"(?:\$ )?(?:nohup )?((?:alexnet-tf|make|python (?:-m )?[\w./]+) [^`\n|>&]*)"

CHOICES = {"VARIANT": " bvlc", "FORMAT": " onnx"}


def commands(page: Path) -> list[str]:
    """List the commands of ours on a page, in code blocks and in running text, without comments.

    Brackets around optional words, and dots, are left out. A placeholder of one letter, and a
    variable of the shell, becomes 1; that of a choice one of its words.
    """
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = "\n".join(re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    spans = re.findall(r"`([^`]+)`", prose)
    lines = [*blocks.splitlines(), *(" ".join(span.split()) for span in spans)]
    found = (re.match(START, line.strip()) for line in lines)
    return [_plain(match[1]) for match in found if match]


def _plain(command: str) -> str:
    command = re.sub(r"\s#.*|…|\.\.\.|[\[\]]", "", command.split(";")[0])
    command = re.sub(r" (VARIANT|FORMAT)\b(?!=)", lambda word: CHOICES[word[1]], command)
    return re.sub(r"\b[A-Z]\b|\$[A-Z_]+", "1", command).strip()


def python(page: Path) -> str:
    """Return the Python of a page, all its blocks in one."""
    text = page.read_text(encoding="utf-8")
    return "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE))


def sections(page: Path) -> Iterator[tuple[str, str]]:
    """Yield (heading, text) of each section of a page, the text of those above it in front."""
    above: list[str] = []
    for part in re.split(r"^(?=#+ )", page.read_text(encoding="utf-8"), flags=re.MULTILINE):
        heading = part.split("\n", 1)[0]
        del above[heading.count("#") - 1 :]
        above.append(part)
        yield heading.strip("# "), "".join(above)


def figures(text: str) -> list[str]:
    """List the cells of tables in `text` that are figures, but for the first of each row."""
    rows = [line.strip("|").split("|")[1:] for line in text.splitlines() if line.startswith("|")]
    cells = (cell.strip() for row in rows for cell in row)
    return [cell for cell in cells if re.fullmatch(r"\D{0,2}\d(?!.*[A-Za-z`]{3}).*", cell)]
