"""What each of TensorBoard's dashboards is told, as the summaries that its plugins define."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

import keras
import numpy as np
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.histogram.summary_v2 import histogram_pb
from tensorboard.plugins.hparams import api as hparams
from tensorboard.plugins.hparams.api_pb2 import STATUS_SUCCESS
from tensorboard.plugins.hparams.summary import session_end_pb
from tensorboard.plugins.image.metadata import create_summary_metadata
from tensorboard.plugins.pr_curve import summary as pr_curve
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.util.tensor_util import make_tensor_proto

from alexnet_tf.runs.command import training_command
from alexnet_tf.runs.settings import Settings
from alexnet_tf.system.text import printable
from alexnet_tf.training.job import Job

# Thresholds of a precision-recall curve.
THRESHOLDS = 101
# The most characters of a name.
NAME = 40


def scalars(epoch: Mapping[str, float], names: Mapping[str, str]) -> list[Summary]:
    """Return a curve's value for each of `names`: what it is called → its name in the history.

    A value that an epoch of an earlier version lacks is left out.
    """
    return [scalar_pb(tag, epoch[name]) for tag, name in names.items() if name in epoch]


def histograms(weights: Mapping[str, np.ndarray], most: int) -> list[Summary]:
    """Return the distribution of each array of weights: of `most` values, spread over all."""
    return [
        histogram_pb(name, values.ravel()[:: -(-values.size // most)])
        for name, values in weights.items()
    ]


def precision_recall(
    probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[str], most: int
) -> list[Summary]:
    """Return the curve of each class against all others, of the `most` frequent ones.

    `probabilities` are float32 (pictures, classes), `labels` (pictures,).
    """
    frequent = np.argsort(-np.bincount(labels, minlength=len(classes)), kind="stable")[:most]
    names = short_names(classes)
    curves = (
        pr_curve.pb(f"precision_recall/{names[n]}", labels == n, probabilities[:, n], THRESHOLDS)
        for n in sorted(frequent)
    )
    return [_converted(curve) for curve in curves]


def short_names(classes: Sequence[str]) -> list[str]:
    """Return names of classes that are fit for a line, and no two of which are alike."""
    names = [printable(name) for name in classes]
    short = [name if len(name) <= NAME else f"{name[: NAME - 1]}…" for name in names]
    return [
        name if short.count(name) == 1 else f"{number} {name}" for number, name in enumerate(short)
    ]


def image(tag: str, picture: Image.Image, format: str = "JPEG", description: str = "") -> Summary:
    """Return a picture, encoded in a `format` of Pillow's that browsers show."""
    encoded = io.BytesIO()
    picture.save(encoded, format, quality=85)
    width, height = (str(side).encode() for side in picture.size)
    tensor = make_tensor_proto([width, height, encoded.getvalue()], dtype=np.object_)
    metadata = create_summary_metadata(display_name=None, description=description)
    return Summary(value=[Summary.Value(tag=tag, tensor=tensor, metadata=metadata)])


def graph(model: keras.Model) -> Event:
    """Return the layers of an AlexNet, each the input of the next, with the shapes between them."""
    definition = GraphDef()
    before: list[str] = []
    for layer in model.layers:
        sides = [-1 if side is None else side for side in layer.output.shape]
        # TensorBoard would fold conv1 … conv5 into one, were they of the same kind.
        kind = f"{type(layer).__name__} {'×'.join(map(str, sides[1:]))}"
        node = definition.node.add(name=layer.name, op=kind, input=before)
        shape = node.attr["_output_shapes"].list.shape.add()
        for side in sides:
            shape.dim.add(size=side)
        node.attr["parameters"].i = layer.count_params()
        node.attr["trained"].b = bool(layer.trainable_variables)
        before = [layer.name]
    return Event(graph_def=definition.SerializeToString())


def text(tag: str, lines: Sequence[str]) -> Summary:
    """Return lines that are shown as they are, whatever is in them."""
    return text_pb(tag, "\n".join(f"    {printable(line)}" for line in lines))


def settings(job: Job) -> Iterator[Summary]:
    """Yield what a run was told: its command, its settings, its pictures."""
    told = {
        each.name: value
        for each in fields(Settings)
        if (value := getattr(job.settings, each.name)) is not None
    }
    compared = {
        name: printable(value) if isinstance(value, str) else value for name, value in told.items()
    }
    yield hparams.hparams_pb(compared, trial_id=printable(job.run.directory))
    command = training_command(job.settings, job.run.directory)
    yield text("command", command.split("\n"))
    yield text("settings", [f"{name:16}{value}" for name, value in told.items()])
    yield text("pictures", job.dataset.summary().split("\n"))


def finished() -> Summary:
    """Return that a run has ended well."""
    return _converted(session_end_pb(STATUS_SUCCESS))


def _converted(summary: Any) -> Summary:
    """Make a summary of TensorBoard's type of one of TensorFlow's, which has the same bytes."""
    return Summary.FromString(summary.SerializeToString())
