"""Write docs/help.md: what every command says when it is asked for --help.

Type `python -m tests.tools.help` after an option has changed; tests/test_docs.py asks for it.
"""

from __future__ import annotations

import os
import subprocess
import sys

from alexnet_tf.commands import VERBS
from tests.support.places import ROOT

QUICK = ()
PAGE = ROOT / "docs" / "help.md"
PROGRAMS = (
    "-m alexnet_tf",
    *(f"-m alexnet_tf {verb}" for verb in VERBS),
    "-m make_starter",
    "-m benchmarks",
)
BEGINNING = """\
# Every command and its options

`python -m tests.tools.help` writes this page; please change the options, not the page.
`alexnet-tf VERB`, which pip installs, is `python -m alexnet_tf VERB`. In a checkout
`train_alexnet.py` is `train`, and `predict_alexnet.py` is `predict`, with a mode in front of its
pictures. `make` alone lists the targets that call these commands.
"""


def help_page() -> str:
    """Return the page, in Markdown, made by asking each program."""
    return "\n".join([BEGINNING, *(help_section(program) for program in PROGRAMS)])


def help_section(program: str) -> str:
    """Return the section of one program, the words after `python`; its lines have 100 columns."""
    # Defaults may come from variables of ours, which a reader of the page has not set.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ALEXNET_TF")}
    text = subprocess.run(
        [sys.executable, *program.split(), "--help"],
        cwd=ROOT,
        env=environment | {"COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return f"## python {program}\n\n```\n{text}```\n"


if __name__ == "__main__":
    PAGE.write_text(help_page(), encoding="utf-8")
