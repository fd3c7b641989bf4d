"""Train the starter, and put it in the place of the one in alexnet_tf/starter/.

It takes hours; started again, it resumes.
"""

import argparse
from pathlib import Path

from alexnet_tf.commands import cli
from make_starter.make import RUN, TEACHER, WORK, find_pictures, make


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m make_starter",
        description="Train the starter: convolutions by distillation, a head for cats and dogs. "
        f"Started again, it resumes, in {WORK}/ and {RUN.directory}/.",
    )
    parser.add_argument(
        "photos",
        type=Path,
        metavar="DIR",
        help="with dogs-vs-cats/, dogs-vs-cats-144/ and dogs-vs-cats-256/ (CLASS.N.jpg), flowers/ "
        "and cifar10/train/ and test/ (a folder for each class), and imagenet-samples/",
    )
    parser.add_argument(
        "teacher", type=Path, metavar="FILE", help=f"pretrained weights of {TEACHER}"
    )
    options = parser.parse_args()
    make(find_pictures(options.photos), options.teacher)
    return 0


if __name__ == "__main__":
    cli.run(main, "make_starter")
