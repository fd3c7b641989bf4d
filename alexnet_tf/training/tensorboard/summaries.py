"""Summaries for TensorBoard's dashboards, as its plugins define them."""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import keras
import numpy as np
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import summary as custom_scalar
from tensorboard.plugins.histogram.summary_v2 import histogram_pb
from tensorboard.plugins.hparams import api as hparams
from tensorboard.plugins.hparams.api_pb2 import STATUS_SUCCESS
from tensorboard.plugins.hparams.summary import session_end_pb
from tensorboard.plugins.image.metadata import create_summary_metadata
from tensorboard.plugins.pr_curve import summary as pr_curve
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.util.tensor_util import make_tensor_proto

from alexnet_tf.metrics.predictions import LabelledPredictions
from alexnet_tf.runs.recipes import training_command
from alexnet_tf.system.text import printable
from alexnet_tf.training.job import Job

# The most characters of a name.
NAME = 40


def scalars(epoch: Mapping[str, float], names: Mapping[str, str]) -> list[Summary]:
    """Return a scalar for each of `names`, tag → name in the history, that the epoch has."""
    return [scalar_pb(tag, epoch[name]) for tag, name in names.items() if name in epoch]


def diagrams() -> Summary:
    """Return the diagrams of the Custom Scalars: training and validation in one."""
    charts = [
        layout_pb2.Chart(title=name, multiline=layout_pb2.MultilineChartContent(tag=[f"^{name}/"]))
        for name in ("accuracy", "loss")
    ]
    category = layout_pb2.Category(title="training and validation", chart=charts)
    return _converted(custom_scalar.pb(layout_pb2.Layout(category=[category])))


def histograms(weights: Mapping[str, np.ndarray], most: int) -> list[Summary]:
    """Return a histogram of each array: of `most` values, evenly spaced."""
    return [
        histogram_pb(name, values.ravel()[:: -(-values.size // most)])
        for name, values in weights.items()
    ]


def precision_recall(found: LabelledPredictions, most: int) -> Iterator[Summary]:
    """Yield the precision-recall curves of the `most` frequent classes, each against the rest."""
    counts = np.bincount(found.labels, minlength=len(found.classes))
    for label in sorted(np.argsort(-counts, kind="stable")[:most]):
        tag, scores = f"precision_recall/{found.classes[label]}", found.probabilities[:, label]
        yield _converted(pr_curve.pb(tag, found.labels == label, scores, num_thresholds=101))


def short_names(classes: Sequence[str]) -> list[str]:
    """Return names of classes that fit a line, all distinct."""
    names = [printable(name) for name in classes]
    short = [name if len(name) <= NAME else f"{name[: NAME - 1]}…" for name in names]
    return [name if short.count(name) == 1 else f"{n} {name}" for n, name in enumerate(short)]


def image(tag: str, picture: Image.Image, format: str = "JPEG", description: str = "") -> Summary:
    """Return a picture, encoded in a `format` that browsers show."""
    encoded = io.BytesIO()
    picture.save(encoded, format, quality=85)
    width, height = (str(side).encode() for side in picture.size)
    tensor = make_tensor_proto([width, height, encoded.getvalue()], dtype=np.object_)
    metadata = create_summary_metadata(display_name=None, description=description)
    return Summary(value=[Summary.Value(tag=tag, tensor=tensor, metadata=metadata)])


def graph(model: keras.Model) -> Event:
    """Return the graph of an AlexNet: a chain of layers, and the shapes between them."""
    definition = GraphDef()
    before: list[str] = []
    for layer in model.layers:
        sides = [-1 if side is None else side for side in layer.output.shape]
        # TensorBoard folds layers of the same kind into one.
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
    """Return lines that are shown verbatim."""
    return text_pb(tag, "\n".join(f"    {printable(line)}" for line in lines))


def settings(job: Job) -> Iterator[Summary]:
    """Yield the command, the settings and the pictures of a run."""
    values = {name: value for name, value in asdict(job.settings).items() if value is not None}
    compared = {
        name: printable(value) if isinstance(value, str) else value
        for name, value in values.items()
    }
    yield hparams.hparams_pb(compared, trial_id=printable(job.run.directory))
    command = training_command(job.settings, job.run.directory)
    yield text("command", command.split("\n"))
    yield text("settings", [f"{name:16}{value}" for name, value in values.items()])
    yield text("pictures", job.dataset.summary().split("\n"))


def finished() -> Summary:
    """Return the event that a run has finished."""
    return _converted(session_end_pb(STATUS_SUCCESS))


def _converted(summary: Any) -> Summary:
    """Convert a summary of TensorFlow's type, which has the same bytes, to TensorBoard's."""
    return Summary.FromString(summary.SerializeToString())
