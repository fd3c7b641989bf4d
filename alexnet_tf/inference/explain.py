"""Explanations of a network: Grad-CAM, occlusion, strongest channels and filters."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from itertools import product
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from alexnet_tf.data.images.contents import ImageError, InMemory
from alexnet_tf.data.images.preprocessing import load_batches, preprocess_input
from alexnet_tf.drawing.sheets import filter_pictures
from alexnet_tf.errors import UserError
from alexnet_tf.inference.engine import BATCH, Engine
from alexnet_tf.metrics.views import average_views

if TYPE_CHECKING:
    import keras

# Magnification of the preprocessed picture in a figure.
ENLARGED = 2
# Side of the occluding square, relative to the picture's.
COVERED = 1 / 5


@dataclass(frozen=True)
class Explanation:
    """The regions of a picture that speak for a class.

    `picture` is the preprocessed `file`, uint8 RGB (227, 227, 3). `number` and `label` are the
    class's. `heat`, float32 (h, w) of 0 to 1, has the spatial size of a convolution.
    """

    file: str
    picture: np.ndarray = field(repr=False)
    number: int
    label: str
    probability: float
    heat: np.ndarray = field(repr=False)

    def _repr_png_(self) -> bytes:
        self.figure().save(file := io.BytesIO(), "PNG")
        return file.getvalue()

    def figure(self, heat: np.ndarray | None = None) -> Image.Image:
        """Draw the heat map, or another one of any size, over the picture."""
        from alexnet_tf.gradcam import overlay

        height, width, _ = self.picture.shape
        large = Image.fromarray(self.picture).resize((ENLARGED * width, ENLARGED * height))
        return Image.fromarray(overlay(np.asarray(large), self.heat if heat is None else heat))


class Explainer:
    """Explains predictions of the network of `engine`."""

    def __init__(self, engine: Engine):
        self.engine = engine

    def explain(
        self,
        files: Sequence[str | InMemory],
        label: str | int | None = None,
        layer: str | None = None,
    ) -> Iterator[Explanation | ImageError]:
        """Explain each picture in `files` by Grad-CAM, in order.

        An unreadable picture yields an ImageError. The class is `label`, by default the likeliest;
        the layer is `layer`, by default the last convolution. Raises UserError for an unknown class
        or layer, and for a network without classes.
        """
        wanted = self._class_number(label)
        batches = [files[start : start + BATCH] for start in range(0, len(files), BATCH)]
        loaded = load_batches(batches, self.engine.variant, self.engine.resize)
        for names, pictures in zip(batches, loaded):
            readable = [each[0] for each in pictures if not isinstance(each, ImageError)]
            found = iter(self._explain(np.stack(readable), wanted, layer) if readable else ())
            for name, each in zip(names, pictures):
                if isinstance(each, ImageError):
                    yield each
                else:
                    number, probability, heat = next(found)
                    seen = self.engine.classes[number]
                    yield Explanation(str(name), each[0], number, seen, probability, heat)

    def occlusion(self, explanation: Explanation) -> np.ndarray:
        """Compute how much the class's logit falls when a part of the picture is occluded.

        Returns float32 (h, w), the size of the explanation's heat (Zeiler 2014, section 4.2). The
        occluding square has the mean colour that the variant subtracts or, if that is black, the
        picture's own. A value below 0 marks a region that speaks against the class.
        """
        (inputs,) = preprocess_input(explanation.picture[None], self.engine.variant)
        uncovered = self._logits(inputs[None])[0, explanation.number]
        cover = 0 if any(self.engine.variant.mean) else inputs.mean(axis=(0, 1))
        places = _squares(explanation.heat.shape, inputs.shape)
        found = []
        for start in range(0, len(places), BATCH):
            part = places[start : start + BATCH]
            covered = np.repeat(inputs[None], len(part), axis=0)
            for each, place in zip(covered, part):
                each[place] = cover
            found.append(uncovered - self._logits(covered)[:, explanation.number])
        return np.concatenate(found).reshape(explanation.heat.shape)

    def channels(
        self, picture: np.ndarray, layer: str | None = None, top: int = 8
    ) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Find the `top` channels of each convolution, or of `layer`, with the largest means.

        `picture` is an explanation's. Returns, by layer, the channel numbers (top,) and their maps,
        float32 (top, h, w), the strongest first. Raises UserError for an unknown layer.
        """
        import keras

        from alexnet_tf.gradcam import check_convolution, convolutions

        names = [check_convolution(self._model, layer)] if layer else convolutions(self._model)
        outputs = {name: self._model.get_layer(name).output for name in names}
        inner = keras.Model(self._model.input, outputs)
        strongest = {}
        inputs = preprocess_input(picture[None], self.engine.variant)
        for name, maps in inner.predict_on_batch(inputs).items():
            maps = np.moveaxis(maps[0], -1, 0)
            numbers = np.argsort(-maps.mean(axis=(1, 2)), kind="stable")[:top]
            strongest[name] = numbers, maps[numbers]
        return strongest

    def filters(self) -> np.ndarray:
        """Return conv1's filters as `filter_pictures` does."""
        kernel, _ = self.engine.weights.layers["conv1"]
        return filter_pictures(kernel, self.engine.variant.channels)

    def _explain(
        self, pictures: np.ndarray, wanted: int | None, layer: str | None
    ) -> Iterator[tuple[int, float, np.ndarray]]:
        """Return class, probability and heat of each picture, uint8 (n, 227, 227, 3)."""
        model = self._model  # first, because it imports TensorFlow quietly
        from alexnet_tf.gradcam import grad_cam

        inputs = preprocess_input(pictures, self.engine.variant)
        probabilities = model.predict_on_batch(inputs)
        numbers = probabilities.argmax(axis=1) if wanted is None else np.full(len(inputs), wanted)
        chosen = np.take_along_axis(probabilities, numbers[:, None], axis=1)[:, 0]
        return zip(numbers.tolist(), chosen.tolist(), grad_cam(model, inputs, numbers, layer))

    def _class_number(self, label: str | int | None) -> int | None:
        """Return the number of the class `label`: its name, one of its ImageNet synonyms, or the
        number itself."""
        classes = self.engine.classes
        if not classes:
            raise UserError(
                f"{self.engine.source}: holds convolutions alone, which know no class; name a "
                "finished run with --run, or ask for --filters"
            )
        if label is None:
            return None
        if isinstance(label, Integral) and 0 <= label < len(classes):
            return int(label)
        if label in classes:
            return classes.index(label)
        known = {name: i for i, names in enumerate(classes) for name in names.split(", ")}
        if label in known:
            return known[label]
        near = get_close_matches(str(label), known, n=5) or list(known)[:5]
        raise UserError(
            f"there is no class '{label}' in {self.engine.source}, but {', '.join(near)}"
        )

    @cached_property
    def _model(self) -> keras.Model:
        return self.engine.open_keras()

    def _logits(self, inputs: np.ndarray) -> np.ndarray:
        """Return logits, float32 (n, classes), for inputs, averaged over the views of each."""
        found = self._before_softmax.predict_on_batch(inputs)
        return average_views(found, 1 + self.engine.variant.mirrored, len(inputs))

    @cached_property
    def _before_softmax(self) -> keras.Model:
        model = self._model  # first, because it imports TensorFlow quietly
        from alexnet_tf.model import part

        return part(model, "conv1", "prob")


def _squares(places: tuple[int, ...], shape: tuple[int, ...]) -> list[tuple[slice, slice]]:
    """Return the occluded rows and columns for each of h × w positions in an input."""
    half = max(1, round(COVERED * shape[0] / 2))
    centres = (
        [round((place + 0.5) * side / count) for place in range(count)]
        for count, side in zip(places, shape)
    )
    rows, columns = (
        [slice(max(0, centre - half), centre + half) for centre in each] for each in centres
    )
    return [*product(rows, columns)]
