"""``alexnet-tf completion SHELL``: print a script that completes command lines in a shell."""

import argparse
from importlib import import_module

from alexnet_tf.commands import VERBS, cli

HELP = "print a script that completes command lines"
# The program that pip installs: a shell completes what stands first on a command line.
PROGRAM = "alexnet-tf"
# Arguments that are files or folders, by their names in help texts.
PATHS = ("FILE", "DIR", "RUN", "PICTURE", "PICTURES", "DATA", "SOURCE", "PATH")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        f"Print a script that completes `{PROGRAM}` in a shell. For bash, put `eval"
        f' "$({PROGRAM} completion bash)"` into ~/.bashrc; for fish, write it to'
        f" ~/.config/fish/completions/{PROGRAM}.fish; for zsh, write it to a file _{PROGRAM} in a"
        " folder of $fpath."
    )
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="the shell")


def run(options: argparse.Namespace) -> None:
    import shtab

    print(shtab.complete(_all_verbs(), options.shell))


def _all_verbs() -> argparse.ArgumentParser:
    """Build one parser of all verbs and their options."""
    import shtab

    parser = cli.Parser(prog=PROGRAM)
    verbs = parser.add_subparsers()
    for name in VERBS:
        verb = import_module(f"alexnet_tf.commands.{name}")
        added = verbs.add_parser(name, help=verb.HELP)
        verb.add_arguments(added)
        for argument in added._actions:
            if argument.metavar in PATHS:
                argument.complete = shtab.FILE  # type: ignore[attr-defined]
    return parser
