"""``alexnet-tf VERB``, or ``python -m alexnet_tf VERB``."""

from __future__ import annotations

import signal
import sys

# Ctrl-C while all this is imported ends it without a traceback, but where a shell has it ignored.
if signal.getsignal(signal.SIGINT) == signal.default_int_handler and (
    __name__ == "__main__" or sys.argv[0].endswith("alexnet-tf")
):
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from importlib import import_module

from alexnet_tf import __version__
from alexnet_tf.commands import VERBS, cli
from alexnet_tf.system import program


def main() -> int:
    """Run the verb that the command line names; the modules of others are not imported."""
    words = sys.argv[1:]
    typed = program.command("").strip()
    if words and words[0] in VERBS:
        verb = import_module(f"alexnet_tf.commands.{words[0]}")
        parser = cli.Parser(prog=f"{typed} {words[0]}")
        verb.add_arguments(parser)
        return verb.run(cli.parse(parser, words[1:]))
    parser = cli.Parser(prog=typed, description="AlexNet transfer learning that works.")
    parser.add_argument("--version", action="version", version=f"alexnet_tf {__version__}")
    parsers = parser.add_subparsers(required=True, metavar="VERB")
    for name in VERBS:
        parsers.add_parser(name, help=import_module(f"alexnet_tf.commands.{name}").HELP)
    if words:
        parser.parse_args(words)
        parser.error("the VERB comes first")
    parser.print_help()
    return 0


def start() -> None:
    """Be the program that pip installs as alexnet-tf."""
    cli.run(main, program.name())


if __name__ == "__main__":
    start()
