"""``python -m alexnet_tf VERB``: what is not training or prediction."""

from __future__ import annotations

import signal

# Ctrl-C while all this is imported ends it without a traceback, but where a shell has it ignored.
if __name__ == "__main__" and signal.getsignal(signal.SIGINT) == signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse

from alexnet_tf.commands import (
    cli,
    compare,
    data,
    demo,
    doctor,
    evaluate,
    explain,
    export,
    features,
    report,
    serve,
    similar,
    summary,
    tensorboard,
    weights,
)

VERBS = {
    "data": data,
    "weights": weights,
    "summary": summary,
    "evaluate": evaluate,
    "report": report,
    "compare": compare,
    "explain": explain,
    "features": features,
    "similar": similar,
    "export": export,
    "tensorboard": tensorboard,
    "serve": serve,
    "doctor": doctor,
    "demo": demo,
}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m alexnet_tf", description=__doc__)
    parsers = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, verb in VERBS.items():
        verb.add_arguments(parsers.add_parser(name, help=verb.HELP))
    return parser.parse_args()


def main() -> int | None:
    options = parse_arguments()
    return VERBS[options.verb].run(options)


if __name__ == "__main__":
    cli.run(main, "alexnet_tf")
