"""Single-file HTML pages from Jinja2 templates, which escape every name."""

from importlib.util import find_spec
from pathlib import Path

from alexnet_tf.errors import UserError
from alexnet_tf.system.files import read_bytes
from alexnet_tf.system.program import command, installing
from alexnet_tf.system.text import printable

TEMPLATES = Path(__file__).with_name("templates")
PACKAGES = ("jinja2", "matplotlib")
# Marks a page as written by this program; other files are not overwritten.
MARK = '<!DOCTYPE html>\n<html lang="en" data-made-by="alexnet_tf">'
MOST_BYTES = 1 << 28


def check_installed() -> None:
    """Raise UserError if a package that reports need is missing."""
    for name in PACKAGES:
        if not find_spec(name):
            raise UserError(
                f"a report needs {name}, which is not installed: {installing(*PACKAGES)}"
            )


def check_ours(path: Path) -> None:
    """Raise UserError if the file at `path` is not a page of this program."""
    if path.is_file() and not read_bytes(path, MOST_BYTES).startswith(MARK.encode()):
        raise UserError(
            f"{path}: is no report of this program, and is not overwritten; name another --out"
        )


def fill(template: str, **values: object) -> str:
    """Render the template of that name."""
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
    """Return a name in one line, its middle elided beyond `most` characters."""
    text = printable(name)
    half = most // 2
    return text if len(text) <= most else f"{text[:half]}…{text[-half:]}"


def percent(share: float | None, digits: int = 1) -> str:
    """Format a fraction as a percentage, as in the terminal's tables."""
    return "–" if share is None else f"{share:.{digits}%}"


def interval(ends: tuple[float, float]) -> str:
    """Format an interval of fractions as percentages."""
    low, high = ends
    return f"{low:.1%} – {high:.1%}"
