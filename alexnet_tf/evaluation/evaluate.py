"""Evaluation of runs on labelled pictures, individually and as an ensemble."""

from collections.abc import Sequence
from unicodedata import normalize

import numpy as np

from alexnet_tf.data.digests import digests
from alexnet_tf.data.images.contents import ImageError
from alexnet_tf.data.sources.listing import is_junk
from alexnet_tf.data.sources.lists import read_list
from alexnet_tf.data.sources.manifest import Source, Wanted
from alexnet_tf.data.sources.open import open_source
from alexnet_tf.errors import UserError
from alexnet_tf.inference.classifier import Classifier
from alexnet_tf.inference.engine import Engine
from alexnet_tf.metrics.evaluation import Evaluation
from alexnet_tf.runs.pictures import started_pictures
from alexnet_tf.runs.predictions import read_predictions
from alexnet_tf.runs.run import STARTER_RUN, Run
from alexnet_tf.system.progress import progress


def evaluate_runs(
    runs: Sequence[Run],
    data: str | None = None,
    crops: int = 1,
    precision: str | None = None,
    label: str | None = None,
) -> Evaluation:
    """Evaluate finished `runs` with the same classes on the pictures `data`.

    `data` is what `open_source` takes, with the column `label`: all its pictures are used. None:
    the validation pictures of the runs, or the predictions of their cross-validation. Unreadable
    pictures are excluded from all numbers. Raises UserError for a class that the runs do not know,
    and if no picture is left.
    """
    classifier = Classifier([Engine.of_run(run) for run in runs], crops, precision)
    if not data and any(run.is_cross_validated() for run in runs):
        return _cross_validated(runs, classifier.classes)
    source = open_source(data, wanted=Wanted(label)) if data else _validation_list(runs)
    known = {normalize("NFC", name): index for index, name in enumerate(classifier.classes)}
    for name in source.classes:
        if name not in known:
            raise UserError(
                f"{data}: has the class '{name}', which {runs[0].directory} was not trained on; "
                f"its classes are in {runs[0].directory / 'classes.txt'}"
            )
    files, labels, predictions, averaged = [], [], [], []
    failed = [ImageError(*each) for each in source.rejected if not is_junk(each)]
    found = classifier.probabilities([entry.path for entry in source.entries])
    found = progress(found, len(source.entries), "evaluating")
    for entry, probabilities in zip(source.entries, found):
        if isinstance(probabilities, ImageError):
            failed.append(probabilities)
        else:
            files.append(entry.path)
            labels.append(known[entry.label])
            predictions.append(probabilities.argmax(axis=1))
            averaged.append(probabilities.mean(axis=0).argmax())
    if not files:
        raise UserError(f"{failed[0]}; nor can any other of the pictures be read")
    evaluated = list(digests(files).values())
    trained_on, untraced = zip(*(_trained_on(run, evaluated) for run in runs))
    return Evaluation(
        tuple(str(run.directory) for run in runs),
        classifier.classes,
        np.array(labels),
        np.array(predictions).T,
        np.array(averaged),
        trained_on,
        tuple(failed),
        untraced,
    )


def _cross_validated(runs: Sequence[Run], classes: Sequence[str]) -> Evaluation:
    """Return the evaluation of runs that were cross-validated on the same pictures."""
    parts = [started_pictures(run).validation for run in runs]
    pictures = [[(each.digest, each.label) for each in part] for part in parts]
    for run, others in zip(runs[1:], pictures[1:]):
        if others != pictures[0]:
            raise _of_other_pictures(run, runs[0])
    labels = np.array([label for _, label in pictures[0]])
    kept = (read_predictions(run, len(labels), len(classes)) for run in runs)
    found = [each[0] for each in kept if each]
    return Evaluation(
        tuple(str(run.directory) for run in runs),
        tuple(classes),
        labels,
        np.array([probabilities.argmax(axis=1) for probabilities in found]),
        np.mean(found, axis=0).argmax(axis=1),
        (0,) * len(runs),
        cross_validated=True,
    )


def _validation_list(runs: Sequence[Run]) -> Source:
    """Open the validation pictures of all `runs`; UserError unless they are the same."""
    if STARTER_RUN in runs:
        raise UserError("the starter was validated with pictures that are not here; give --data")
    first, *others = (open_source(run.directory / "val.txt") for run in runs)
    for run, other in zip(runs[1:], others):
        if set(other.entries) != set(first.entries):
            raise _of_other_pictures(run, runs[0])
    return first


def _of_other_pictures(run: Run, first: Run) -> UserError:
    return UserError(
        f"{run.directory}: was validated with other pictures than {first.directory}; say with "
        "--data which to evaluate them on"
    )


def _trained_on(run: Run, found: Sequence[str]) -> tuple[int, int]:
    """Count the digests `found` that are among the run's training pictures, if it lists them, and
    the listed pictures whose digest is unknown: runs of an earlier version stored none."""
    path = run.directory / "train.txt"
    pictures = [picture for picture, _ in read_list(path)] if path.is_file() else []
    known = run.read_digests()
    known |= digests(picture for picture in pictures if picture not in known)
    trained = [known[picture] for picture in pictures]
    counted = {*trained} - {""}
    return sum(digest in counted for digest in found), trained.count("")
