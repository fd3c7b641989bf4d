"""Pictures of a report, each with its label and prediction."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from alexnet_tf.data.dataset import Picture
from alexnet_tf.drawing.heat_maps import heat_maps
from alexnet_tf.drawing.thumbnails import data_url, load_thumbnail
from alexnet_tf.evaluation.duplicates import Duplicate
from alexnet_tf.evaluation.review import Review
from alexnet_tf.metrics.predictions import Labelled
from alexnet_tf.reports.html import shown
from alexnet_tf.system.processor import processors

# Longer side of a picture in pixels, and JPEG quality: about five kilobytes, seven as text.
SIDE, QUALITY = 160, 75
# Largest number of pictures of each kind.
MISTAKES, UNCERTAIN, NOVEL, LABEL_ERRORS, DUPLICATES = 24, 12, 12, 24, 12
# Per cell of the confusion matrix and in all cells; per class and in all classes.
OF_A_CELL, OF_CELLS, OF_A_CLASS, OF_CLASSES = 12, 150, 16, 120
# Largest matrix shown in full, in classes; otherwise the number of most frequent confusions shown.
MATRIX, CONFUSIONS = 20, 20


@dataclass(frozen=True)
class Card:
    """A picture of a report: its thumbnail, label and prediction; `seen` is the picture with the
    heat map of the `predicted` class. Both images are "" if it can no longer be read."""

    path: str
    thumbnail: Future[str]
    label: str
    predicted: str = ""
    confidence: float = 0.0
    seen: str = ""

    @property
    def image(self) -> str:
        """The thumbnail as a data URL."""
        return self.thumbnail.result()

    @property
    def alternative(self) -> str:
        """The alternative text of the picture."""
        label, predicted = shown(self.label), shown(self.predicted)
        return f"labelled {label}" + (f", predicted {predicted}" if predicted else "")


class Album:
    """The cards of a run's report.

    `cells` of the confusion matrix are (label, prediction, count, cards), `pairs` of near
    duplicates (card, card, whether they cross the split), `samples` (class, cards).
    """

    def __init__(self, found: Review):
        self._classes, self._predictions = found.dataset.classes, found.predictions
        mistakes = found.predictions.mistakes()[:MISTAKES]
        others = [n for n in found.predictions.least_confident() if n not in {*mistakes}]
        uncertain = others[:UNCERTAIN]
        seen = self._explained(found, [*mistakes, *uncertain])
        with ThreadPoolExecutor(processors()) as pool:
            self._load = cache(lambda path: pool.submit(_thumbnail, path))
            self.mistakes = [self._prediction(number, seen) for number in mistakes]
            self.least_confident = [self._prediction(number, seen) for number in uncertain]
            self.most_novel = [
                (self._prediction(number), found.predictions.novelty[number])
                for number in found.predictions.most_novel()[:NOVEL]
            ]
            self.cells = [
                (*place, count, [self._prediction(number) for number in numbers])
                for place, count, numbers in _cells(found)
            ]
            self.label_errors = [
                self._card(each.picture, self._classes[each.suggested], each.probability)
                for each in found.label_errors[:LABEL_ERRORS]
            ]
            self.pairs = [
                (self._card(pair.first), self._card(pair.second), across)
                for pair, across in across_first(found)[:DUPLICATES]
            ]
            self.samples = [
                (name, [self._card(each) for each in pictures])
                for name, pictures in _samples(found)
            ]

    def _explained(self, found: Review, numbers: Sequence[int]) -> dict[str, str]:
        """Return path → data URL of pictures under the heat maps of their predictions."""
        paths = [self._predictions.pictures[number].path for number in numbers]
        predicted = [int(self._predictions.predicted[number]) for number in numbers]
        engine = found.engine
        maps = heat_maps(found.network, engine.variant, engine.resize, paths, predicted)
        return {paths[index]: _data_url(Image.fromarray(seen)) for index, (_, seen) in maps.items()}

    def _prediction(self, number: int, seen: Mapping[str, str] | None = None) -> Card:
        picture, predicted = self._predictions.pictures[number], self._predictions.predicted[number]
        confidence = float(self._predictions.confidence[number])
        heat_map = (seen or {}).get(picture.path, "")
        return self._card(picture, self._classes[predicted], confidence, heat_map)

    def _card(self, picture: Labelled, *details: Any) -> Card:
        return Card(picture.path, self._load(picture.path), self._classes[picture.label], *details)


def _thumbnail(path: str) -> str:
    """Return a picture's thumbnail as a data URL; "" if it cannot be read."""
    picture = load_thumbnail(path, SIDE)
    return _data_url(picture) if picture else ""


def _data_url(picture: Image.Image) -> str:
    picture.thumbnail((SIDE, SIDE))
    return data_url(picture, QUALITY)


def across_first(found: Review) -> list[tuple[Duplicate, bool]]:
    """Return (pair, whether it crosses the split); pairs across the split come first."""
    validated = {picture.digest for picture in found.dataset.validation}
    pairs = [
        (pair, (pair.first.digest in validated) != (pair.second.digest in validated))
        for pair in found.duplicates or ()
    ]
    return sorted(pairs, key=lambda pair: not pair[1])


def _cells(found: Review) -> list[tuple[tuple[int, int], int, np.ndarray]]:
    """Choose cells of the confusion matrix: (label, predicted), count, pictures shown."""
    matrix = found.predictions.evaluation.confusion()
    places = [divmod(int(place), len(matrix)) for place in np.argsort(-matrix, axis=None)]
    cells = [place for place in places if matrix[place]]
    if len(matrix) > MATRIX:
        cells = [(label, predicted) for label, predicted in cells if label != predicted][
            :CONFUSIONS
        ]
    cells = cells[:OF_CELLS]
    each = max(1, min(OF_A_CELL, OF_CELLS // max(1, len(cells))))
    return [(cell, int(matrix[cell]), found.predictions.cell(*cell)[:each]) for cell in cells]


def _samples(found: Review) -> list[tuple[str, list[Picture]]]:
    """Choose training pictures of each class at random, reproducibly."""
    random = np.random.default_rng(found.settings.seed)
    classes = found.dataset.classes[:OF_CLASSES]
    each = max(1, min(OF_A_CLASS, OF_CLASSES // len(classes)))
    chosen = []
    for label, name in enumerate(classes):
        pictures = [picture for picture in found.dataset.train if picture.label == label]
        order = random.permutation(len(pictures))[:each]
        chosen.append((name, [pictures[index] for index in order]))
    return chosen
