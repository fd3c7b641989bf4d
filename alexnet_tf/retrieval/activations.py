"""Layer activations of many pictures, computed once into a folder; an interrupted run resumes."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from alexnet_tf.data.dataset import Picture
from alexnet_tf.data.digests import digests
from alexnet_tf.data.features.store import WITHOUT_EFFECT, FeatureStore
from alexnet_tf.data.images.contents import ImageError, InMemory, read_content
from alexnet_tf.data.images.file_types import is_meant_as_picture
from alexnet_tf.data.images.preprocessing import load_batches
from alexnet_tf.data.sources.listing import Rejected, find_pictures
from alexnet_tf.data.sources.manifest import NoPictures
from alexnet_tf.data.sources.open import open_source
from alexnet_tf.inference.engine import BATCH, FEATURES, Engine
from alexnet_tf.system.text import is_printable
from alexnet_tf.weights import fingerprint


def list_pictures(paths: Sequence[str]) -> tuple[list[Picture], list[ImageError], list[Rejected]]:
    """List the pictures in `paths`: picture files, or any data that a training accepts, even
    without classes. Returns them, those that cannot be read, and (path, reason) of other files."""
    files, rejected = [], []
    for path in paths:
        found, others = _list_files(path)
        files += found
        rejected += others
    known = digests(file for file in files if is_printable(file))
    failed = [_why_not(file) for file in files if not known.get(file)]
    # Labels are not used here.
    return [Picture(file, 0, known[file]) for file in files if known.get(file)], failed, rejected


def _list_files(path: str) -> tuple[list[str], list[Rejected]]:
    if Path(path).is_file() and not is_meant_as_picture(path):
        return _list_source(path)
    files, rejected = find_pictures([path])
    if files or not Path(path).is_dir():
        return files, rejected
    try:  # a folder of lists, or of a zip
        return _list_source(path)
    except NoPictures:
        return [], rejected


def _list_source(path: str) -> tuple[list[str], list[Rejected]]:
    source = open_source(path)
    return [entry.path for entry in source.entries], list(source.rejected)


def _why_not(file: str) -> ImageError:
    if not is_printable(file):
        return ImageError(file, "has a name that no line of text can hold")
    try:
        read_content(file)
    except ImageError as error:
        return error
    return ImageError(file, "could not be read")


def activation_store(
    engine: Engine, directory: Path, layer: str, dtype: str, precision: str | None
) -> FeatureStore:
    """Describe a store, in a folder below `directory`, of a layer's outputs, flattened to (units,).

    `layer` is one of `FEATURES`; `dtype` is the NumPy float that they are stored as. They are
    computed in `precision`; None: not known, because an earlier version made the store.
    """
    variant, layers, after = engine.variant, engine.weights.layers, FEATURES[layer]
    recipe = {
        "weights": fingerprint({name: layers[name] for name in layers if name < after}),
        "variant": {k: v for k, v in asdict(variant).items() if k not in WITHOUT_EFFECT},
        "layer": layer,
        "resize": engine.resize,
        "views": ["mean"],
        "dtype": dtype,
    }
    if precision:
        recipe["precision"] = precision
    units = variant.fc_kernels(1)[after][0]
    return FeatureStore(directory, recipe, variant, engine.resize, after, dtype, (units,))


def compute(
    engine: Engine, store: FeatureStore, pictures: Sequence[Picture], precision: str | None = None
) -> list[ImageError]:
    """Add `pictures` that an open store of this `precision` lacks; return those that cannot be
    read. If the process is killed, the next call resumes."""
    if not pictures:
        return []
    (layer,) = (layer for layer in FEATURES if FEATURES[layer] == store.layer)
    failed = store.fill(pictures, engine.layer(layer, precision))
    return [ImageError(path, reason) for path, reason in failed.items()]


def outputs(
    engine: Engine, layer: str, files: Sequence[str | InMemory], precision: str | None = None
) -> Iterator[np.ndarray | ImageError]:
    """Yield for each file, in order, the layer's outputs, float32 (units,), or an error."""
    size = min(BATCH, len(files))
    forward = engine.layer(layer, precision, size)
    batches = [files[start : start + size] for start in range(0, len(files), size)]
    for pictures in load_batches(batches, engine.variant, engine.resize):
        inputs = [each for each in pictures if not isinstance(each, ImageError)]
        found = iter(forward(np.concatenate(inputs)) if inputs else ())
        for each in pictures:
            yield each if isinstance(each, ImageError) else next(found)
