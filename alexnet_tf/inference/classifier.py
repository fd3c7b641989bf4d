"""Pictures → what they show: one of ImageNet's thousand classes, or of a run's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alexnet_tf.data.images import ImageError, load_batches
from alexnet_tf.errors import UserError
from alexnet_tf.inference.engine import BATCH, Network

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".gif", ".webp")


@dataclass(frozen=True)
class Answer:
    """The likeliest classes of a picture and their probabilities, top first, or an error."""

    file: str
    top: tuple[tuple[str, float], ...] = ()
    error: ImageError | None = None


class Classifier:
    """A network, or several whose probabilities are averaged (Krizhevsky 2012, section 6).

    Each sees `crops` views of a picture, as in `alexnet_tf.data.images`. `classes` are in the order
    of the first network; UserError when another has other ones.
    """

    def __init__(self, networks: Sequence[Network], crops: int = 1):
        self.networks, self.crops = tuple(networks), crops
        self.classes = networks[0].classes
        for network in networks:
            for name in sorted(set(network.classes) ^ set(self.classes)):
                raise UserError(
                    f"{network.source}: has other classes than {networks[0].source}, for only one "
                    f"of them knows '{name}'; networks of the same classes can be averaged"
                )

    def classify(self, files: Sequence[str], top: int) -> Iterator[Answer]:
        """An answer for each file, in order, with the `top` likeliest classes."""
        for file, result in zip(files, self.probabilities(files)):
            if isinstance(result, ImageError):
                yield Answer(file, error=result)
            else:
                yield Answer(file, self._top(result.mean(axis=0), top))

    def probabilities(self, files: Sequence[str]) -> Iterator[np.ndarray | ImageError]:
        """For each file, in order, (networks, classes), means over its crops, or why not."""
        size = BATCH // self.crops
        batches = [files[start : start + size] for start in range(0, len(files), size)]
        among = len(files) * self.crops * len(self.networks)
        ways = {(network.variant, network.resize) for network in self.networks}
        loaded = {way: load_batches(batches, *way, self.crops) for way in ways}
        for batch in zip(*loaded.values()):
            pictures = list(zip(*batch))  # each in all of the ways
            errors = [_error(picture) for picture in pictures]
            readable = [picture for picture, error in zip(pictures, errors) if not error]
            inputs = dict(zip(loaded, map(np.stack, zip(*readable))))
            rows = iter(self._forward(inputs, among) if readable else ())
            for error in errors:
                yield error or next(rows)

    def _forward(self, inputs: dict[tuple[str, str], np.ndarray], among: int) -> np.ndarray:
        """(variant, resize) → (pictures, crops, 227, 227, 3) → (pictures, networks, classes)."""
        answers = []
        for network in self.networks:
            pictures = inputs[network.variant, network.resize]
            rows = network.probabilities(pictures.reshape(-1, *pictures.shape[2:]), among)
            rows = rows.reshape(*pictures.shape[:2], -1).mean(axis=1)
            if network.classes != self.classes:
                rows = rows[:, [network.classes.index(name) for name in self.classes]]
            answers.append(rows)
        return np.stack(answers, axis=1)

    def _top(self, probabilities: np.ndarray, top: int) -> tuple[tuple[str, float], ...]:
        best = np.argsort(-probabilities, kind="stable")[:top]
        return tuple((self.classes[index], float(probabilities[index])) for index in best)


def _error(views: Sequence[np.ndarray | ImageError]) -> ImageError | None:
    return next((view for view in views if isinstance(view, ImageError)), None)


def find_pictures(paths: Sequence[str]) -> list[str]:
    """The files among `paths`, and in place of each folder the picture files below it, sorted."""
    found = []
    for path in paths:
        if Path(path).is_dir():
            files = sorted(Path(path).rglob("*"))
            found += [str(file) for file in files if file.suffix.lower() in PICTURE_SUFFIXES]
        else:
            found.append(path)
    return found
