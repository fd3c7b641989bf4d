"""``python -m alexnet_tf explain``: where a network sees the class that it predicts."""

import argparse
import hashlib
import io
import re
from pathlib import Path
from typing import Any

import numpy as np

from alexnet_tf.commands import cli
from alexnet_tf.commands import common_options as common
from alexnet_tf.data.images.contents import ImageError
from alexnet_tf.drawing.sheets import channels_sheet, filters_mosaic, write_picture
from alexnet_tf.errors import UserError
from alexnet_tf.inference.explain import Explainer, Explanation
from alexnet_tf.system import arguments
from alexnet_tf.system.progress import progress
from alexnet_tf.system.text import printable

HELP = "where a network sees the class that it predicts (Grad-CAM), and its filters"
# The most characters of a name that are kept in the name of a file.
MOST_OF_NAME = 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("pictures", nargs="*", metavar="PICTURE", help="a picture, or a folder of pictures")
    add("--class", dest="label", metavar="NAME", help="the class to show (the predicted one)")
    add("--layer", metavar="NAME", help="the convolution to explain (the last one)")
    add(
        "--layers",
        action="store_true",
        help="the strongest channels of each convolution, or of --layer, on the picture",
    )
    add("--filters", action="store_true", help="conv1's filters, as in the paper's figure 3")
    add(
        "--occlusion",
        action="store_true",
        help="check Grad-CAM: how much the logit falls where the picture is covered; takes seconds"
        " for each",
    )
    add(
        "--out",
        type=arguments.output,
        default=Path("explained"),
        metavar="DIR",
        help="where pictures (.png) and their numbers (.npy) go (%(default)s)",
    )
    common.add_network(parser)


def run(options: argparse.Namespace) -> int:
    """Write and name the pictures; return 2 if one could not be explained."""
    if not options.pictures and not options.filters:
        raise UserError("name a picture to explain, or ask for --filters")
    if not options.pictures:
        reason = "says how a picture is explained; name one, or leave it out"
        cli.refuse(options, ("--class", "--layer", "--layers", "--occlusion"), reason)
    pictures, rejected = common.find(options.pictures)
    explainer = Explainer(common.open_network(options))
    if options.filters:
        filters = explainer.filters()
        mosaic = filters_mosaic(filters, explainer.engine.variant.halves)
        _write(options.out / "filters.png", mosaic, filters)
    found = explainer.explain(pictures, options.label, options.layer) if pictures else ()
    failed = []
    for explanation in progress(found, len(pictures), "explaining"):
        if isinstance(explanation, ImageError):
            failed.append(explanation)
        else:
            _show(explainer, explanation, options)
    return common.say_left_out(rejected, failed)


def _show(explainer: Explainer, explanation: Explanation, options: argparse.Namespace) -> None:
    seen = hashlib.sha256(explanation.picture.data).hexdigest()[:8]
    start = f"{_plain(Path(explanation.file).stem)}-{seen}"
    of_class = f"{start}-{_plain(explanation.label)}"
    print(
        printable(explanation.file), printable(explanation.label),
        f"{explanation.probability:.4f}", sep="\t",
    )  # fmt: skip
    _write(options.out / f"{of_class}.png", explanation.figure(), explanation.heat)
    if options.occlusion:
        fall = explainer.occlusion(explanation)
        shown = np.maximum(fall, 0) / max(fall.max(), np.finfo(np.float32).tiny)
        _write(options.out / f"{of_class}-occlusion.png", explanation.figure(shown), fall)
        is_flat = not explanation.heat.std() * shown.std()
        correlation = 0 if is_flat else np.corrcoef(explanation.heat.ravel(), shown.ravel())[0, 1]
        print(f"  correlation with Grad-CAM: {correlation:.2f}")
    if options.layers:
        channels = explainer.channels(explanation.picture, options.layer)
        sheet = channels_sheet(explanation.picture, channels)
        _write(options.out / f"{start}-channels.png", sheet)


def _write(path: Path, picture: Any, numbers: np.ndarray | None = None) -> None:
    """Write a picture and, beside it, the numbers that it shows; name it."""
    beside = {}
    if numbers is not None:
        np.save(array := io.BytesIO(), numbers)
        beside[".npy"] = array.getvalue()
    write_picture(path, picture, beside)
    print(f"  {path}")


def _plain(name: str) -> str:
    """Return what of `name` may stand in the name of a file on any system."""
    return re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII)[:MOST_OF_NAME].strip(".-") or "_"
