"""``python -m alexnet_tf VERB``: what is not training or prediction."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from alexnet_tf import arguments, cli
from alexnet_tf.archive import Limits
from alexnet_tf.catalog import PHOTOS, PRETRAINED, WEIGHTS
from alexnet_tf.dataset import open_dataset, write_lists
from alexnet_tf.doctor import examine
from alexnet_tf.errors import UserError
from alexnet_tf.evaluate import evaluate_imagenet, imagenet_pictures
from alexnet_tf.files import printable
from alexnet_tf.images import CROPS, RESIZES
from alexnet_tf.litert import write_litert
from alexnet_tf.predict import Classifier
from alexnet_tf.quiet import import_tensorflow
from alexnet_tf.recognize import recognize
from alexnet_tf.run import Run, finished_run
from alexnet_tf.settings import Settings
from alexnet_tf.sources import DATA, NoPictures
from alexnet_tf.variants import VARIANTS
from alexnet_tf.weights import read_weights


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m alexnet_tf", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    verb = verbs.add_parser(
        "data", help="list and split pictures into train.txt and val.txt, or fetch some first"
    )
    verb.add_argument(
        "source",
        nargs="?",
        default=str(DATA),
        metavar="SOURCE",
        help="a folder of cat.N.jpg and dog.N.jpg, a folder with a folder for each class, a zip of"
        " either, or lists (%(default)s, where 25,000 photos of cats and dogs are fetched to if"
        " there are no pictures yet)",
    )
    verb.add_argument(
        "--out",
        default=str(DATA),
        metavar="DIR",
        help="where train.txt, val.txt, classes.txt and rejected.txt go (%(default)s)",
    )
    verb.add_argument("--seed", type=arguments.natural, default=0, metavar="N", help="of the split")
    for what in ("files", "bytes"):
        verb.add_argument(
            f"--max-{what}",
            type=arguments.positive,
            default=getattr(Limits(), what),
            metavar="N",
            help=f"the most {what} to unpack from a zip (%(default)s)",
        )
    _add_places(verb)
    verb.set_defaults(run=data)

    verb = verbs.add_parser("weights", help="fetch and check pretrained weights")
    verb.add_argument(
        "name",
        nargs="?",
        default=next(iter(PRETRAINED)),
        metavar="NAME",
        help=f"{', '.join(PRETRAINED)}, which go to {WEIGHTS}/, or any other file, which is only"
        " checked (%(default)s)",
    )
    _add_places(verb)
    verb.set_defaults(run=weights)

    verb = verbs.add_parser("summary", help="the layers of an AlexNet, their shapes and parameters")
    verb.add_argument("variant", choices=VARIANTS, metavar="VARIANT", help=", ".join(VARIANTS))
    verb.add_argument(
        "--classes",
        type=arguments.positive,
        default=1000,
        metavar="N",
        help="outputs of the network (%(default)s)",
    )
    verb.set_defaults(run=summary)

    verb = verbs.add_parser(
        "evaluate",
        help="how often pretrained weights are right about ImageNet's validation pictures",
    )
    verb.add_argument(
        "--imagenet",
        required=True,
        metavar="DIR",
        help="a folder per WordNet id, or the flat validation set with --labels",
    )
    verb.add_argument(
        "--labels",
        metavar="FILE",
        help="the class of each picture: lines 'NAME INDEX', 0 to 999 as in Caffe's val.txt, or"
        " 'NAME WNID'",
    )
    verb.add_argument(
        "--weights",
        default=Settings().weights,
        metavar="FILE",
        help="pretrained weights with all eight layers (%(default)s)",
    )
    verb.add_argument(
        "--variant",
        default=Settings().variant,
        choices=VARIANTS,
        help="the AlexNet that the weights were trained for (%(default)s)",
    )
    verb.add_argument(
        "--resize",
        default="caffe",
        choices=RESIZES,
        help="from a photo to a square, as train_alexnet.py explains it; the published numbers were"
        " measured with caffe (%(default)s)",
    )
    verb.add_argument(
        "--crops",
        type=int,
        default=CROPS[0],
        choices=CROPS,
        help="10: average over corners, centre and their mirror images, as the paper (%(default)s)",
    )
    verb.add_argument("--json", action="store_true", help="a JSON object instead of a table")
    verb.set_defaults(run=evaluate)

    verb = verbs.add_parser("export", help="write a run's network for other programs")
    verb.add_argument("run_directory", metavar="RUN", help="a finished run")
    verb.add_argument("--format", required=True, choices=("litert",), help="of the file")
    verb.add_argument("--int8", action="store_true", help="weights of 8 bits, a quarter as large")
    verb.add_argument(
        "--out",
        metavar="PATH",
        help="the file (RUN/model.tflite; with --int8 RUN/model.int8.tflite)",
    )
    verb.set_defaults(run=export)

    verb = verbs.add_parser("doctor", help="check this installation, and a run")
    verb.add_argument(
        "directory",
        nargs="?",
        metavar="RUN",
        help="a run directory, asked about in the folder where it was trained",
    )
    verb.set_defaults(run=doctor)

    verb = verbs.add_parser("demo", help="the whole job on drawings, without any download")
    verb.add_argument("--out", default="demo", metavar="DIR", help="where it happens (%(default)s)")
    verb.set_defaults(run=demo)
    return parser.parse_args()


def _add_places(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--from",
        dest="places",
        action="append",
        default=[],
        metavar="PATH_OR_URL",
        help="where to fetch the file from, instead of its publisher; several are tried in order",
    )
    verb.add_argument(
        "--mirror",
        default=os.environ.get("ALEXNET_TF_MIRROR"),
        metavar="DIR_OR_URL",
        help="a folder to look for the file in first ($ALEXNET_TF_MIRROR)",
    )


def data(options: argparse.Namespace) -> None:
    source = Path(options.source)
    limits = Limits(options.max_files, options.max_bytes)
    try:
        dataset = open_dataset(source, options.seed, limits)
    except NoPictures:
        if source != DATA:
            raise
        source = PHOTOS.fetch(DATA, options.mirror, options.places)
        dataset = open_dataset(source, options.seed, limits)
    out = Path(options.out)
    listed = source in (out, out / "train.txt") and (out / "train.txt").is_file()
    if not listed:
        write_lists(dataset, out)
    print(dataset.summary())
    if listed:
        print(f"as {out / 'train.txt'} has it; delete that file to list the pictures anew")


def weights(options: argparse.Namespace) -> None:
    path = Path(options.name)
    if path.name in PRETRAINED and path.parent in (Path(), WEIGHTS):
        path = PRETRAINED[path.name].fetch(WEIGHTS, options.mirror, options.places)
    elif not path.exists():
        raise UserError(
            f"{path}: there is no such file; those that can be fetched are {', '.join(PRETRAINED)}"
        )
    layers = read_weights(path)
    print(f"{path}: {recognize(layers, path).name}")
    for name, (kernel, _) in layers.items():
        print(f"{name}  {' × '.join(map(str, kernel.shape))}")


def summary(options: argparse.Namespace) -> None:
    import_tensorflow()
    from alexnet_tf.model import AlexNet

    AlexNet(options.variant, options.classes, name=options.variant).summary()


def evaluate(options: argparse.Namespace) -> int:
    pictures, labels = imagenet_pictures(options.imagenet, options.labels)
    classifier = Classifier.of_imagenet(
        options.weights, options.variant, options.resize, options.crops
    )
    evaluation = evaluate_imagenet(classifier, pictures, labels)
    for error in evaluation.failed:
        print(f"alexnet_tf: left out: {error}", file=sys.stderr)
    if options.json:
        print(json.dumps(evaluation.as_json()))
    else:
        print(f"{options.variant}, --resize {options.resize}, --crops {options.crops}")
        print(evaluation.summary())
    return 2 if evaluation.failed else 0


def export(options: argparse.Namespace) -> None:
    run = finished_run(options.run_directory)
    default = run.lite.with_suffix(".int8.tflite") if options.int8 else run.lite
    path = Path(options.out) if options.out else default
    import_tensorflow()
    from alexnet_tf.model import load_model

    write_litert(load_model(run.model), path, options.int8)
    print(f"{path}: {path.stat().st_size / 1e6:.0f} MB")


def doctor(options: argparse.Namespace) -> int:
    """A line for each check; 2 unless all is well."""
    if options.directory and not Path(options.directory).is_dir():
        raise UserError(f"{options.directory}: is no run directory")
    well = True
    for finding in examine(Run(options.directory) if options.directory else None):
        well = well and finding.is_well
        mark = "ok   " if finding.is_well else "WRONG"
        print(f"{mark}  {finding.name}: {printable(finding.text)}", flush=True)
    return 0 if well else 2


def demo(options: argparse.Namespace) -> None:
    from alexnet_tf.demo import demo

    demo(Path(options.out))


def main() -> int | None:
    options = parse_arguments()
    return options.run(options)


if __name__ == "__main__":
    cli.run(main, "alexnet_tf")
