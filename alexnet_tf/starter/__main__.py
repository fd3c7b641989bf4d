"""``python -m alexnet_tf.starter``: make the files in this folder anew, in some hours."""

from __future__ import annotations

import argparse
from pathlib import Path

from alexnet_tf.commands import cli
from alexnet_tf.commands.make_starter import RUN, make


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m alexnet_tf.starter",
        description="Train the starter, a network for cats and dogs, from scratch. Started again, "
        f"it goes on where it stopped, in {RUN.directory}/.",
    )
    parser.add_argument(
        "small", type=Path, metavar="DIR144", help="15,000 photos, the short side of 144 pixels"
    )
    parser.add_argument(
        "originals", type=Path, metavar="ORIGINALS", help="1,200 others, as Kaggle has them"
    )
    options = parser.parse_args()
    return make(options.small, options.originals)


if __name__ == "__main__":
    cli.run(main, "alexnet_tf.starter")
