"""Evaluation on ImageNet."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alexnet_tf.data.imagenet import imagenet_classes
from alexnet_tf.data.images.contents import ImageError
from alexnet_tf.data.sources.listing import find_pictures
from alexnet_tf.data.sources.lists import read_list
from alexnet_tf.errors import UserError
from alexnet_tf.inference.classifier import Classifier
from alexnet_tf.metrics.evaluation import wilson_interval
from alexnet_tf.system.progress import progress
from alexnet_tf.weights.loading import read_weights_file
from alexnet_tf.weights.recognize import BVLC, CAFFENET, TORCHVISION

TOPS = (1, 5)


@dataclass(frozen=True)
class Figure:
    """Published top-1 and top-5 accuracy of a network on all 50,000 validation pictures, and the
    options that reproduce its preprocessing."""

    name: str
    accuracy: dict[int, float]
    options: str


PUBLISHED = {
    figure.name: figure
    for figure in (
        # The readme.md of Caffe's models/bvlc_alexnet and bvlc_reference_caffenet: squashed to 256
        # × 256, centre crop.
        Figure(BVLC, {1: 0.571, 5: 0.802}, "--resize caffe --crops 1"),
        Figure(CAFFENET, {1: 0.574, 5: 0.804}, "--resize caffe --crops 1"),
        # torchvision/models/alexnet.py, AlexNet_Weights: short side 256, centre crop.
        Figure(TORCHVISION, {1: 0.56522, 5: 0.79066}, "--resize short --crops 1"),
    )
}


@dataclass(frozen=True)
class ImageNetEvaluation:
    """Top-k hits on ImageNet's pictures: `hits[k]` of `pictures` have their class among the k
    likeliest; `failed` were unreadable; `published` is the accuracy of these weights, if known."""

    pictures: int
    hits: dict[int, int]
    failed: tuple[ImageError, ...] = ()
    published: Figure | None = None

    def accuracy(self, top: int) -> float:
        """Return the fraction of pictures whose class is among the `top` likeliest."""
        return self.hits[top] / self.pictures

    def interval(self, top: int) -> tuple[float, float]:
        """Return the 95% confidence interval of the accuracy (Wilson 1927)."""
        return wilson_interval(self.hits[top], self.pictures)


def imagenet_pictures(
    folder: str | Path, labels: str | Path | None = None
) -> tuple[list[str], list[int]]:
    """Return the pictures below `folder` and the class index, 0–999, of each.

    The class of a picture is looked up by its file name in the list `labels`, lines ``NAME INDEX``
    (Caffe's val.txt) or ``NAME WNID``. Without a list it is the WordNet id that names the picture's
    folder or else begins its file name, as in ``n01440764_10026.JPEG``. Raises UserError if there
    is no picture, or if the class of one is unknown.
    """
    pictures, _ = find_pictures([str(folder)]) if Path(folder).is_dir() else ([], [])
    if not pictures:
        raise UserError(f"{folder}: is no folder of pictures")
    indices = {wnid: index for index, (wnid, _) in enumerate(imagenet_classes())}
    if labels is None:
        return pictures, [_index_by_name(Path(picture), indices) for picture in pictures]
    indices |= {str(index): index for index in indices.values()}
    listed = {Path(name).name: label for name, label in read_list(Path(labels))}
    return pictures, [_listed_index(Path(p), listed, labels, indices) for p in pictures]


def published_figure(weights: str | Path) -> Figure | None:
    """Return the published accuracy of the file `weights`; None if they are unknown."""
    return PUBLISHED.get(read_weights_file(weights).recognized().name)


def evaluate_imagenet(
    classifier: Classifier,
    pictures: Sequence[str],
    labels: Sequence[int],
    published: Figure | None = None,
) -> ImageNetEvaluation:
    """Count the top-1 and top-5 hits of `classifier` on `pictures`, whose classes are `labels`;
    unreadable ones do not count, UserError if none is left. `published` is the accuracy to compare
    with."""
    ranks, failed = [], []
    predictions = progress(classifier.probabilities(pictures), len(pictures), "evaluating")
    for probabilities, label in zip(predictions, labels):
        if isinstance(probabilities, ImageError):
            failed.append(probabilities)
        else:
            order = np.argsort(-probabilities.mean(axis=0), kind="stable")
            ranks.append(int(np.flatnonzero(order == label)[0]))
    if not ranks:
        raise UserError(f"{failed[0]}; nor can any other of the pictures be read")
    hits = {top: sum(rank < top for rank in ranks) for top in TOPS}
    return ImageNetEvaluation(len(ranks), hits, tuple(failed), published)


def _index_by_name(picture: Path, indices: dict[str, int]) -> int:
    for wnid in (picture.parent.name, picture.name.split("_")[0]):
        if wnid in indices:
            return indices[wnid]
    raise UserError(
        f"{picture}: lies in no folder named after the WordNet id of its class (n01440764, …); for "
        "the flat validation set give --labels FILE, a list with lines 'NAME INDEX' (Caffe's "
        "val.txt, index 0 to 999) or 'NAME WNID'"
    )


def _listed_index(
    picture: Path, listed: dict[str, str], labels: str | Path, indices: dict[str, int]
) -> int:
    if picture.name not in listed:
        raise UserError(f"{labels}: has no line for {picture.name}")
    label = listed[picture.name]
    if label not in indices:
        raise UserError(
            f"{labels}: labels {picture.name} '{label}'; it should be an index, 0 to 999 in the "
            "order of Caffe's val.txt, or one of the 1,000 WordNet ids (n01440764, …)"
        )
    return indices[label]
