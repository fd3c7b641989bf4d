"""What TensorBoard shows of a run."""

from collections.abc import Mapping
from typing import NamedTuple

import keras
import numpy as np
from tensorboard.compat.proto.summary_pb2 import Summary

from alexnet_tf.drawing.confusion import confusion_matrix
from alexnet_tf.drawing.sheets import filter_pictures, filters_mosaic
from alexnet_tf.metrics.predictions import LabelledPredictions
from alexnet_tf.runs.history import History, best_epoch
from alexnet_tf.runs.settings import FULL, LIGHT
from alexnet_tf.system.files import remove_leftovers
from alexnet_tf.training.epoch import DatasetMetrics
from alexnet_tf.training.job import Job
from alexnet_tf.training.tensorboard import pages, summaries
from alexnet_tf.training.tensorboard.events import Events
from alexnet_tf.training.tensorboard.projector import write_projector
from alexnet_tf.training.trainer import Trainer

# Tag of a curve → name in the history.
CURVES = {
    **{name: name for name in ("learning_rate", "seconds")},
    **{f"{name}/training": name for name in ("accuracy", "loss")},
    **{f"{name}/validation": f"val_{name}" for name in ("accuracy", "loss", "balanced_accuracy")},
}
METRICS = ("accuracy", "loss", "balanced_accuracy")
IN_ORDER = "Rows are labels, columns predictions, in the order of classes.txt."


class Most(NamedTuple):
    """How much is shown: mistakes of an epoch, pictures with Grad-CAM, classes with a
    precision-recall curve, weights in a histogram."""

    mistakes: int
    explained: int
    curves: int
    weights: int


MOST = {LIGHT: Most(15, 8, 10, 1 << 14), FULL: Most(96, 48, 1000, 1 << 20)}


class TensorBoardLog:
    """The events of a run, of each epoch and of the whole, as one entry of TensorBoard's list. They
    survive a kill: what there is to show of an epoch is written before its checkpoint, and shown
    after that. With --tensorboard off nothing new is written."""

    def __init__(self, job: Job, model: keras.Model, history: History):
        """Show the epochs of `history` and no others, and the constant parts of `model`."""
        self.job, self.settings = job, job.settings
        self.is_on = self.settings.tensorboard in MOST
        self.most = MOST.get(self.settings.tensorboard, MOST[LIGHT])
        self.names = summaries.short_names(job.dataset.classes)
        self.folder = job.run.tensorboard_folder
        remove_leftovers(self.folder, ["fc7.*", "projector_config.pbtxt"])
        self.begun, self.epochs, self.finished = (
            Events(self.folder, kind) for kind in ("begun", "epochs", "finished")
        )
        if self.is_on:
            self._write_whole(model)
            self._write_missing(history)
        self.show(len(history))

    def write(
        self, epoch: Mapping[str, float], state: Mapping[str, np.ndarray], predictions: np.ndarray
    ) -> None:
        """Write the events of a finished epoch: the trainer's `state` after it, and `predictions`,
        the probabilities of the validation pictures, float32 (n, classes). NoRoom if the disk is
        full."""
        if not self.is_on:
            return
        number = int(epoch["epoch"])
        found = summaries.scalars(epoch, CURVES)
        is_full = self.settings.tensorboard == FULL
        if is_full or _is_chosen(number) or number == self.settings.epochs:
            found += self._of_weights(state)
            found += self._of_predictions(self._predictions(predictions))
        self.epochs.write(number, *found)

    def show(self, epochs: int) -> None:
        """Show the events of so many epochs; NoRoom if the disk is full."""
        self.epochs.show(range(1, epochs + 1))

    def finish(
        self,
        trainer: Trainer,
        network: keras.Model,
        history: History,
        found: DatasetMetrics,
        test: DatasetMetrics | None,
    ) -> None:
        """Show the finished `network`: its metrics, Grad-CAM and fc7."""
        if not self.is_on:
            return
        best = best_epoch(history, self.settings.best)
        epoch = len(history) if self.settings.average else best
        figures = {"total_seconds": sum(each["seconds"] for each in history), "best_epoch": best}
        figures |= {name: getattr(found, name) for name in METRICS}
        if test:
            figures |= {f"test_{name}": getattr(test, name) for name in METRICS}
        predictions = self._predictions(found.probabilities)
        self.finished.write(
            epoch,
            *summaries.scalars(figures, {name: name for name in figures}),
            self._explained(predictions, network),
            summaries.finished(),
        )
        write_projector(self.folder, trainer, network, predictions.predicted)
        self.finished.show([epoch])

    def _write_whole(self, model: keras.Model) -> None:
        """Write the settings of the run, the graph, and filters that are frozen."""
        is_frozen = self.settings.first_kept() > "conv1"
        frozen = [self._filters(model.get_layer("conv1").kernel.numpy())] if is_frozen else []
        constant = *summaries.settings(self.job), summaries.graph(model), summaries.diagrams()
        self.begun.write(0, *constant, *frozen)
        self.begun.show([0])
        self.finished.show([])

    def _write_missing(self, history: History) -> None:
        """Write the scalars of epochs without events: those of earlier versions, or trained with
        --tensorboard off."""
        for epoch in history:
            number = int(epoch["epoch"])
            if number not in self.epochs:
                self.epochs.write(number, *summaries.scalars(epoch, CURVES))

    def _of_weights(self, state: Mapping[str, np.ndarray]) -> list[Summary]:
        """Return histograms of all trained weights, and conv1's filters if trained."""
        weights = {
            name: array
            for name, array in state.items()
            if array.dtype.kind == "f" and not name.startswith(("optimizer/", "epoch/", "ema/"))
        }
        filters = [self._filters(weights["conv1/kernel"])] if "conv1/kernel" in weights else []
        return [*summaries.histograms(weights, self.most.weights), *filters]

    def _of_predictions(self, predictions: LabelledPredictions) -> list[Summary]:
        """Return precision-recall curves, the confusion matrix and a page of mistakes."""
        names = pages.drawn_names(predictions.classes)
        matrix = confusion_matrix(predictions.evaluation.confusion(), names)
        numbers = predictions.mistakes()[: self.most.mistakes]
        mistakes = pages.mistakes_page(predictions, numbers)
        said = pages.described(predictions, numbers)
        return [
            *summaries.precision_recall(predictions, self.most.curves),
            summaries.image("confusion", matrix, "PNG", IN_ORDER),
            summaries.image("mistakes", mistakes, description=said),
        ]

    def _explained(self, predictions: LabelledPredictions, network: keras.Model) -> Summary:
        """Return a page of mistakes, and then correct predictions, with Grad-CAM."""
        half = self.most.explained // 2
        numbers = [*predictions.mistakes()[:half], *predictions.correct(half)]
        resize = self.settings.resize
        page = pages.grad_cam_page(predictions, numbers, network, self.job.variant, resize)
        return summaries.image("grad_cam", page, description=pages.described(predictions, numbers))

    def _filters(self, kernel: np.ndarray) -> Summary:
        variant = self.job.variant
        filters = filter_pictures(kernel, variant.channels)
        return summaries.image("conv1", filters_mosaic(filters, variant.halves), "PNG")

    def _predictions(self, probabilities: np.ndarray) -> LabelledPredictions:
        return LabelledPredictions((*self.names,), self.job.dataset.validation, probabilities)


def _is_chosen(epoch: int) -> bool:
    """Choose epochs with more than scalars: the first 31, then 8 for each doubling, so that a run
    of many epochs stays small."""
    return epoch < 32 or epoch % 2 ** (epoch.bit_length() - 4) == 0
