"""``python -m alexnet_tf VERB``: what is not training or prediction."""

from __future__ import annotations

import argparse
from pathlib import Path

from alexnet_tf import cli
from alexnet_tf.dataset import open_dataset, write_lists
from alexnet_tf.errors import UserError
from alexnet_tf.recognize import recognize
from alexnet_tf.run import Settings
from alexnet_tf.sources import DATA
from alexnet_tf.weights import read_weights


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m alexnet_tf", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    verb = verbs.add_parser("data", help="list and split pictures into train.txt and val.txt")
    verb.add_argument(
        "source",
        nargs="?",
        default=str(DATA),
        metavar="SOURCE",
        help="a folder of cat.N.jpg and dog.N.jpg, a folder with a folder for each class, a zip of"
        " either, or lists (%(default)s)",
    )
    verb.add_argument(
        "--out",
        default=str(DATA),
        metavar="DIR",
        help="where train.txt, val.txt, classes.txt and rejected.txt go (%(default)s)",
    )
    verb.add_argument("--seed", type=cli.natural, default=0, metavar="N", help="of the split")
    verb.set_defaults(run=data)

    verb = verbs.add_parser(
        "weights", help="check the pretrained weights, or say where to get them"
    )
    verb.add_argument(
        "file",
        nargs="?",
        default=Settings().weights,
        metavar="FILE",
        help="a file in the layout of bvlc_alexnet.npy (%(default)s)",
    )
    verb.set_defaults(run=weights)

    verb = verbs.add_parser("demo", help="the whole job on drawings, without any download")
    verb.add_argument("--out", default="demo", metavar="DIR", help="where it happens (%(default)s)")
    verb.set_defaults(run=demo)
    return parser.parse_args()


def data(options: argparse.Namespace) -> None:
    dataset = open_dataset(options.source, options.seed)
    out = Path(options.out)
    listed = Path(options.source) in (out, out / "train.txt") and (out / "train.txt").is_file()
    if not listed:
        write_lists(dataset, out)
    print(dataset.summary())
    if listed:
        print(f"as {out / 'train.txt'} has it; delete that file to list the pictures anew")


def weights(options: argparse.Namespace) -> None:
    file = Path(options.file)
    if not file.exists():
        raise UserError(
            f"{file}: not there yet. Download bvlc_alexnet.npy (233 MB) from\n"
            "  http://www.cs.toronto.edu/~guerzhoy/tf_alexnet/bvlc_alexnet.npy\n"
            f"and put it there, as {file}; or name another file of that layout by "
            "--weights FILE (WEIGHTS=FILE with make)."
        )
    layers = read_weights(file)
    print(f"{file}: {recognize(layers, file).name}")
    for name, (kernel, _) in layers.items():
        print(f"{name}  {' × '.join(map(str, kernel.shape))}")


def demo(options: argparse.Namespace) -> None:
    from alexnet_tf.demo import demo

    demo(Path(options.out))


def main() -> None:
    options = parse_arguments()
    options.run(options)


if __name__ == "__main__":
    cli.run(main, "alexnet_tf")
