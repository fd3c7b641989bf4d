"""Pages in one file: templates filled by Jinja2, in which every name is only text."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from alexnet_tf.errors import UserError
from alexnet_tf.system.files import read_bytes, write_text
from alexnet_tf.system.program import command, installing
from alexnet_tf.system.text import printable

TEMPLATES = Path(__file__).with_name("templates")
PACKAGES = ("jinja2", "matplotlib")
# What a page of ours begins with: any other file is somebody's own.
MARK = '<!DOCTYPE html>\n<html lang="en" data-made-by="alexnet_tf">'
MOST_BYTES = 1 << 28


def check_installed() -> None:
    """Raise UserError where a package is missing that reports need."""
    for name in PACKAGES:
        if not find_spec(name):
            raise UserError(
                f"a report needs {name}, which is not installed: {installing(*PACKAGES)}"
            )


def check_ours(path: Path) -> None:
    """Raise UserError for a file at `path` that is no page of this program."""
    if path.is_file() and not read_bytes(path, MOST_BYTES).startswith(MARK.encode()):
        raise UserError(
            f"{path}: is no report of this program, and is not written over; name another --out"
        )


def write_page(path: Path, template: str, **values: object) -> None:
    """Fill a template and write the page, whole or not at all; UserError as `check_ours`."""
    check_ours(path)
    write_text(path, fill(template, **values))


def fill(template: str, **values: object) -> str:
    """Fill the template of that name."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"name": shown, "percent": percent, "interval": interval}
    return environment.get_template(template).render(mark=MARK, typed=command, **values)


def shown(name: object, most: int = 60) -> str:
    """Return a name in one line, its middle left out where it has more characters than `most`."""
    text = printable(name)
    half = most // 2
    return text if len(text) <= most else f"{text[:half]}…{text[-half:]}"


def percent(share: float | None, digits: int = 1) -> str:
    """Return a share as the tables of the terminal have it."""
    return "–" if share is None else f"{share:.{digits}%}"


def interval(ends: tuple[float, float]) -> str:
    """Return an interval of shares likewise."""
    low, high = ends
    return f"{low:.1%} – {high:.1%}"
