"""Classification of pictures, into ImageNet's thousand classes or a run's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from alexnet_tf.data.images.contents import ImageError, InMemory
from alexnet_tf.data.images.preprocessing import load_batches
from alexnet_tf.errors import UserError
from alexnet_tf.inference.engine import Engine, most_at_once
from alexnet_tf.system.text import printable
from alexnet_tf.variants import Variant, get_variant

# Classes of a prediction that a notebook shows.
SHOWN = 5
# What is said of a picture whose novelty is above 1.
UNLIKE = "unlike anything it was taught"
# Batches that are decoded in advance: most of them while TensorFlow is imported.
AHEAD = 8


@dataclass(frozen=True)
class Prediction:
    """The top classes of a picture with their probabilities, likeliest first; or an error, which
    `label` and `probability` raise. `novelty` is above 1 for a picture that is unlike everything
    that the network was trained on, and None where the network cannot tell."""

    file: str
    top: tuple[tuple[str, float], ...] = ()
    error: ImageError | None = None
    novelty: float | None = None

    @classmethod
    def of(cls, file: str, outputs: np.ndarray, classes: Sequence[str], top: int) -> Prediction:
        """Choose the `top` likeliest of `classes` from `outputs` (classes + 1,): their
        probabilities and, last, the novelty, NaN where the network has none."""
        *probabilities, novelty = outputs.tolist()
        best = np.argsort(-outputs[:-1], kind="stable")[:top]
        likeliest = tuple((classes[index], probabilities[index]) for index in best)
        return cls(file, likeliest, novelty=None if np.isnan(novelty) else novelty)

    @property
    def label(self) -> str:
        """The likeliest class."""
        return self._likeliest()[0]

    @property
    def probability(self) -> float:
        """The probability of the likeliest class, 0 to 1."""
        return self._likeliest()[1]

    @property
    def is_unknown(self) -> bool:
        """Whether the picture is unlike everything that the network was trained on."""
        return (self.novelty or 0) > 1

    def __repr__(self) -> str:
        fields = f"error={str(self.error)!r}"
        if not self.error:
            fields = f"label={self.label!r}, probability={self.probability:.4f}"
        if self.is_unknown:
            fields += f", novelty={self.novelty:.2f}"
        return f"Prediction({self.file!r}, {fields})"

    def _repr_html_(self) -> str:
        """Show the likeliest classes in a notebook, each with a bar."""
        from html import escape  # a cold prediction does not wait for it

        if self.error:
            return f"<p>{escape(printable(self.error))}</p>"
        rows = (
            f"<tr><td>{escape(printable(name))}</td><td><meter value={share:.4f}></meter></td>"
            f"<td>{share:.1%}</td></tr>"
            for name, share in self.top[:SHOWN]
        )
        unknown = f"<p>{UNLIKE}</p>" if self.is_unknown else ""
        return f"<table>{''.join(rows)}</table>{unknown}"

    def _likeliest(self) -> tuple[str, float]:
        if self.error:
            raise self.error
        return self.top[0]


class Classifier:
    """A network, or an ensemble whose probabilities are averaged (Krizhevsky 2012, section 6).

    Each network sees `crops` views of a picture (`data.images.preprocessing`); its convolutions
    compute in `precision` (see `Engine`). `classes` are in the order of the first network. Raises
    UserError if another network has other classes.
    """

    def __init__(self, engines: Sequence[Engine], crops: int = 1, precision: str | None = None):
        self.engines, self.crops = tuple(engines), crops
        self.classes = engines[0].classes
        for engine in engines:
            engine.precision = precision
            views = get_variant(engine.variant).views
            if min(crops, views) > 1:
                raise UserError(
                    f"--crops {crops}: {engine.source} averages {views} views of a picture "
                    "already; leave --crops out"
                )
            for name in sorted(set(engine.classes) ^ set(self.classes)):
                raise UserError(
                    f"{engine.source}: has other classes than {engines[0].source}, because only one"
                    f" of them knows '{name}'; networks of the same classes can be averaged"
                )

    def classify(
        self, files: Sequence[str | InMemory], top: int, among: int | None = None
    ) -> Iterator[Prediction]:
        """Yield a prediction for each file, in order, with the `top` likeliest classes. If `files`
        are a part of a larger list, `among` is its length: predictions equal those of the whole."""
        # In this order the generator of probabilities is closed here, not at garbage collection.
        for result, file in zip(self.outputs(files, among), files):
            if isinstance(result, ImageError):
                yield Prediction(str(file), error=result)
            else:
                yield Prediction.of(str(file), result.mean(axis=0), self.classes, top)

    def probabilities(self, files: Sequence[str | InMemory]) -> Iterator[np.ndarray | ImageError]:
        """Yield for each file, in order, probabilities (engines, classes), averaged over its crops,
        or an ImageError."""
        for result in self.outputs(files):
            yield result if isinstance(result, ImageError) else result[:, :-1]

    def outputs(
        self, files: Sequence[str | InMemory], among: int | None = None
    ) -> Iterator[np.ndarray | ImageError]:
        """Yield as `probabilities` does, but each with the novelty last: (engines, classes + 1)."""
        size = self.batch
        batches = [files[start : start + size] for start in range(0, len(files), size)]
        views_in_all = (among or len(files)) * self.crops * len(self.engines)
        ways = {(engine.variant, engine.resize) for engine in self.engines}
        loaded = {way: load_batches(batches, *way, self.crops, AHEAD) for way in ways}
        for batch in zip(*loaded.values()):
            pictures = list(zip(*batch))  # each loaded in every way
            errors = [
                next((view for view in picture if isinstance(view, ImageError)), None)
                for picture in pictures
            ]
            readable = [picture for picture, error in zip(pictures, errors) if not error]
            seen = dict(zip(loaded, map(np.stack, zip(*readable))))
            outputs = iter(self._forward(seen, views_in_all) if readable else ())
            for error in errors:
                yield error or next(outputs)

    @property
    def knows_novelty(self) -> bool:
        """Whether predictions have a novelty."""
        return all(engine.novelty for engine in self.engines)

    @property
    def batch(self) -> int:
        """Number of pictures predicted at once."""
        most = min(most_at_once(get_variant(engine.variant)) for engine in self.engines)
        return most // self.crops

    def _forward(self, seen: dict[tuple[Variant, str], np.ndarray], among: int) -> np.ndarray:
        """Run all networks on (n, crops, 227, 227, 3): (n, engines, classes and novelty)."""
        predictions = []
        for engine in self.engines:
            pictures = seen[engine.variant, engine.resize]
            found, novelty = engine.predict(pictures.reshape(-1, *pictures.shape[2:]), among)
            if engine.classes != self.classes:
                found = found[:, [engine.classes.index(name) for name in self.classes]]
            outputs = np.column_stack([found, novelty])
            predictions.append(outputs.reshape(*pictures.shape[:2], -1).mean(axis=1))
        return np.stack(predictions, axis=1)
