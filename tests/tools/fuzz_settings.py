"""Pairs of settings put together: small trainings, each held to five oracles.

A network of 9 kB learns from 24 drawn pictures. (a) What the training reports is what the exported
network answers about the same files. (b) Each window and each mirror image is drawn about as often.
(c) Stopped within an epoch and gone on with, it is the same bit for bit. (d) Its steps are those of
NumPy in double precision, and two workers make them together. (e) What frozen layers make is the
same kept as computed each time.
"""

from __future__ import annotations

import logging
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import combinations, islice, product
from pathlib import Path
from typing import Any
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from allpairspy import AllPairs
from PIL import Image

from alexnet_tf.data.drawings import draw_faces
from alexnet_tf.data.features.bytefloat import decode, encode
from alexnet_tf.data.features.store import FeatureStore
from alexnet_tf.data.images.preprocessing import load_image, preprocess_input
from alexnet_tf.inference.predictions import cached_predictions
from alexnet_tf.model import load_model, part
from alexnet_tf.runs.checkpoints import checkpoint_path, load_checkpoint, save_checkpoint
from alexnet_tf.training.epoch import compute_metrics
from alexnet_tf.training.frozen import frozen_layers, with_features
from alexnet_tf.training.job import Job, write_config
from alexnet_tf.training.loop import Loop, finish, write_model
from alexnet_tf.training.trainer import Trainer
from alexnet_tf.variants import CONV_LAYERS, FC_LAYERS, VARIANTS
from tests.support.by_hand import Steps, gradients
from tests.support.caffe import random_weights
from tests.support.formats import write_npz
from tests.support.small import LOG, job
from tests.support.twins import both
from tests.tools.fuzz import Report

TINY = replace(
    VARIANTS["lenet5"], name="tiny", resized=38, filters=(4, 8), groups=(1, 2),
    head=("fc", "drop"), fc_units=(12, 10), mean=(0.4, 0.5, 0.6), deviation=(0.2, 0.3, 0.25),
)  # fmt: skip
PARAMETERS: dict[str, list[Any]] = {
    "train": ["head", "all", "from:conv2", "from:fc7", "from:fc8"],
    "weights": ["none", "convolutions", "all"],
    "scale": [None, 36],
    "crop": [False, True],
    "mirror": [True, False],
    "color_shift": [0.0, 0.1],
    "rotate": [0.0, 30.0],
    "zoom": [0.0, 0.2],
    "brightness": [0.0, 0.2],
    "contrast": [0.0, 0.3],
    "resize": ["short", "squash", "caffe"],
    "precision": ["float32", "bfloat16"],
    "activation": [None, "prelu", "tanh"],
    "dropout": [None, 0.0, 0.3],
    "weight_decay": [0.0, 0.5],
    "decoupled": [False, True],
    "head": [None, "random"],
    "head_rate": [None, 0.3],
    "clip": [0.0, 0.3],
    "schedule": ["constant", "plateau", "exponential", "cosine"],
    "warm_up": [0.0, 1.5],
    "ema": [0.0, 0.7],
    "stop_early": [0, 1],
    "best": ["accuracy", "loss", "balanced"],
    "average": [0, 2],
    "balance": [False, True],
    "calibrate": [False, True],
    "batch_size": [7, 10, 64],
    "workers": [1, 2],
}
ALWAYS = {
    "variant": "tiny", "epochs": 3, "learning_rate": 0.02, "keep": 9, "patience": 1,
    "decay_samples": 15, "decay": 0.5,
}  # fmt: skip
GOOD, INPUTS = ("right",), 300
# How far probabilities may be off. Both see features rounded alike, but of bytes one in a million
# lies so near a middle that it is rounded up by one and down by the other.
FLOAT32, BYTE, BFLOAT16 = 1e-5, 0.004, 0.02
# And what is learned in bfloat16.
IN_BFLOAT16 = 0.1


def goes_together(row: list[Any]) -> bool:
    """Tell whether a row, as far as it goes, is one that a training takes."""
    configured = dict(zip(PARAMETERS, row))
    train, weights = configured.get("train"), configured.get("weights", "all")
    is_pretrained = configured.get("head") != "random"
    return not (
        (weights == "none" and (train != "all" or configured.get("head_rate")))
        or (weights == "convolutions" and train in ("from:fc7", "from:fc8"))
        or (not is_pretrained and (configured.get("head_rate") or weights == "none"))
        or (
            configured.get("crop")
            and (configured.get("scale") or configured.get("resize") == "squash")
        )
    )


def array(chance: random.Random) -> list[dict[str, Any]]:
    """Return rows of which every two values that go together meet in one."""
    shuffled = [chance.sample(values, len(values)) for values in PARAMETERS.values()]
    found = [dict(zip(PARAMETERS, row)) for row in AllPairs(shuffled, filter_func=goes_together)]
    # AllPairs ends with the first row that it can add no pair by, which may be long before.
    each = ([(name, value) for value in PARAMETERS[name]] for name in PARAMETERS)
    left = {pair for two in combinations(each, 2) for pair in product(*two)}
    left -= {pair for row in found for pair in _pairs(row)}
    for pair in sorted(left, key=str):
        if pair in left:
            drawn = ({n: chance.choice(PARAMETERS[n]) for n in PARAMETERS} for _ in range(1000))
            tried = [row | dict(pair) for row in drawn]
            tried = [row for row in tried if goes_together([*row.values()])]
            if tried:  # or the two never go together
                found.append(max(tried, key=lambda row: len(left & _pairs(row))))
                left -= _pairs(found[-1])
    return found


def _pairs(row: dict[str, Any]) -> set[tuple]:
    return {*combinations(row.items(), 2)}


def rows(seed: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of array after array."""
    chance = random.Random(seed)
    while True:
        yield from array(chance)


def draw(folder: Path) -> None:
    """Draw 24 pictures, 9 cats and 15 dogs, light at their right: mirror images can be told."""
    draw_faces(folder, per_class=15)
    for number in range(6):
        (folder / f"cat.{number}.jpg").unlink()
    light = np.linspace(0.3, 1, 60)[None, :, None]
    for place, path in enumerate(sorted(folder.iterdir())):
        # All short sides are longer than what is cut out, and some pictures are wide.
        small = Image.open(path).resize((60, (60, 44)[place % 2]))
        Image.fromarray((np.asarray(small) * light).astype(np.uint8)).save(path, quality=95)


class Combinations:
    """Pictures, weights and features in `folder`, shared by all rows."""

    def __init__(self, folder: Path):
        tf.config.experimental.enable_op_determinism()
        self.folder, self.photos = folder, folder / "photos"
        draw(self.photos)

    def job(self, row: dict[str, Any]) -> Job:
        """Prepare the training of a row, in a directory of its own."""
        configured = ALWAYS | {name: row[name] for name in row if name != "workers"}
        if configured["weights"] != "none":
            configured["weights"] = self._weights(configured["weights"])
        directory = Path(tempfile.mkdtemp(dir=self.folder)) / "run"
        return job(self.photos, directory, **configured, features=str(self.folder / "features"))

    def _weights(self, which: str) -> str:
        path = self.folder / f"{which}.npz"
        if not path.is_file():
            weights = random_weights(TINY, classes=3)
            names = CONV_LAYERS if which == "convolutions" else (*CONV_LAYERS, *FC_LAYERS)
            write_npz(path, {name: weights[name] for name in names if name in weights})
        return str(path)

    def wrong(self, row: dict[str, Any]) -> list[str]:
        """Train a row; name what is wrong with it."""
        with mock.patch.dict(VARIANTS, tiny=TINY):
            found = [*_Trial(self.job(row), row["workers"]).wrong()]
        keras.utils.clear_session()  # or each row would leave some 20 MB
        return found


class _Trial:
    """A training of `job`, alone and, if asked, with another worker."""

    def __init__(self, job: Job, workers: int):
        job.run.directory.mkdir(parents=True)
        self.workers = workers
        self.job, *self.stores = with_features(job, LOG)
        self.settings, self.variant = job.settings, job.variant
        write_config(self.job, {})
        self.is_exact = self.settings.precision == "float32"

    def wrong(self) -> Iterator[str]:
        trainer, first = Trainer(self.job, *self.stores, LOG).prepare(), {}
        self.start = trainer.state()
        yield from self._against_numpy(trainer, first)
        if self.workers > 1:
            yield from self._of_two(first)
        yield from self._kept_or_computed()
        yield from self._drawn(trainer)
        loop = Loop(self.job, self.stores, logging.Logger("row"), trainer.workers)
        loop.trainer = trainer  # whose step is compiled
        loop.run_epochs()
        yield from self._gone_on_with(loop)
        yield from self._as_exported(loop)

    def _against_numpy(self, trainer: Trainer, first: dict[str, Any]) -> Iterator[str]:
        """Compare two epochs of steps with NumPy's; leave in `first` what the first came to."""
        batches, history = self._recorded(trainer, first)
        state, steps = trainer.state(), len(batches) // 2
        hand, losses, rate = self._by_hand(trainer, batches, history)
        most = 2e-4 if self.is_exact else 3 * IN_BFLOAT16
        for name, weight in hand.weights.items():
            for what, ours, theirs in (
                ("weights", state[name], weight),
                ("moving means", state.get(f"ema/{name}"), hand.means[name]),
            ):
                off = 0 if ours is None else self._apart(ours, theirs, self.start[name])
                if off > most:
                    yield f"(d) {what} of {name}: {off:.2g} off"
        found = np.concatenate(losses[:steps]).mean()
        if abs(history[0]["loss"] - found) > most:
            yield f"(d) the loss is {history[0]['loss']:.5f}, by hand {found:.5f}"
        if abs(history[1]["learning_rate"] / rate - 1) > 1e-5:
            yield f"(d) the rate is {history[1]['learning_rate']:.5g}, by hand {rate:.5g}"

    def _recorded(self, trainer: Trainer, first: dict[str, Any]) -> tuple[list, list]:
        """Train two epochs; return each batch with the seeds of dropout, and the history."""
        step, batches, history = trainer.learner.step, [], []

        def recorded(batch):
            state = trainer.state()
            seeds = {name: state[name] for name in state if "seed_generator" in name}
            batches.append(([each.numpy() for each in batch], seeds))
            return step(batch)

        trainer.learner.step = recorded
        for epoch in range(2):
            history.append(trainer.run_epoch(history))
            if not epoch:
                first |= {"epoch": history[0], "state": trainer.state()}
        trainer.learner.step = step
        return batches, history

    def _by_hand(self, trainer: Trainer, batches: list, history: list) -> tuple[Steps, list, float]:
        """Make the same steps from the start; return them, their losses and the last rate."""
        learner, configured, labels = trainer.learner, self.settings, trainer.training.labels
        trainer.restore(self.start)
        weights = {
            f"{layer.name}/{variable.name}": variable.numpy().astype(np.float64)
            for layer in learner.model.layers
            for variable in layer.variables
            if variable.name != "seed_generator_state"
        }
        trained = [
            f"{layer.name}/{variable.name}"
            for layer in learner.layers
            for variable in layer.trainable_variables
        ]
        given = {name.split("/")[0] for name in trained} & set(self.job.weights)
        hand = Steps(configured, {name: weights[name] for name in trained}, sorted(given))
        standard, steps, losses = learner.standardization, len(batches) // 2, []
        balance = len(labels) / (2 * np.bincount(labels)) if configured.balance else None
        for number, ((values, *own), seeds) in enumerate(batches):
            epoch, place = divmod(number, steps)
            accuracies = [each["val_accuracy"] for each in history[:epoch]]
            rate = hand.rate(epoch, place, steps, len(labels), accuracies)
            loss, found = gradients(
                self.variant,
                weights | hand.weights,
                values,
                own[0],
                trainer.store.layer,
                own[1] if len(own) > 1 else None,
                (configured.first_of_head(), standard.center, float(standard.scale)),
                self._dropped(learner, seeds, len(values)),
                balance,
            )
            losses.append(loss)
            hand.make(rate, found, configured.ema * steps)
        return hand, losses, rate

    def _dropped(self, learner, seeds: dict[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
        """Draw again what each dropout above the first layer of the head multiplies values by."""
        found = {}
        for name, seed in seeds.items():
            layer = learner.model.get_layer(name.split("/")[0])
            generator = keras.random.SeedGenerator(0)
            generator.state.assign(seed)
            ones = np.ones((count, self.variant.fc_units[int(layer.name[-1]) - 6]))
            ones = keras.ops.cast(ones, layer.compute_dtype)
            kept = keras.random.dropout(ones, layer.rate, seed=generator)
            found[layer.name] = keras.ops.convert_to_numpy(keras.ops.cast(kept, "float32"))
        return found

    def _of_two(self, first: dict[str, Any]) -> Iterator[str]:
        """Let two workers make the first epoch."""

        def trained(workers):
            job, *stores = with_features(self.job, LOG, workers)
            trainer = Trainer(job, *stores, LOG, workers).prepare()
            epoch = trainer.run_epoch([])
            return epoch["loss"], epoch["val_loss"], trainer.state()

        most = 1e-3 if self.is_exact else 3 * IN_BFLOAT16
        with _untraced():
            found = both(trained)
        for loss, val_loss, state in found:
            if abs(loss - first["epoch"]["loss"]) > most:
                yield f"(d) two workers' loss is {loss:.5f}, one's {first['epoch']['loss']:.5f}"
            if abs(val_loss - first["epoch"]["val_loss"]) > most:
                yield f"(d) two workers' val_loss is {val_loss}, one's {first['epoch']['val_loss']}"
            yield from self._differing("(d) by two workers", state, first["state"], most)

    def _kept_or_computed(self) -> Iterator[str]:
        """Make the first epoch of the pictures, and of what is kept of them, in float32 here."""
        store, configured = self.stores[0], self.settings
        if store.layer == "conv1":
            return
        pictures = FeatureStore.of_pictures(
            configured.features, self.variant, configured.resize, self.variant.picture_size
        )
        like = (self.variant, configured.resize, store.layer, "<f4", store.shape, store.flips)
        kept = FeatureStore(self.job.run.directory / "kept", {}, *like)
        below, found = frozen_layers(self.job, configured.precision), []
        for each, mirror, forward in ((pictures, False, None), (kept, configured.mirror, below)):
            each.open().fill([*self.job.dataset.train, *self.job.dataset.validation], forward)
            # The same looks are drawn, and no mirror images beside them.
            each.flips = store.flips
            job = replace(self.job, settings=replace(configured, mirror=mirror))
            with _untraced():
                trainer = Trainer(job, each, each, LOG).prepare()
                before, epoch, after = trainer.state(), trainer.run_epoch([]), trainer.state()
            # A layer that is given begins with the mean of its inputs in its bias.
            floats = (name for name in after if after[name].dtype.kind == "f")
            found.append((epoch, {n: self.start[n] + (after[n] - before[n]) for n in floats}))
        (epoch, state), (other, others) = found
        most = FLOAT32 if self.is_exact else 3 * IN_BFLOAT16
        for name in ("loss", "val_loss"):
            if abs(epoch[name] - other[name]) > most:
                yield f"(e) {name} {epoch[name]:.4f}, of what is kept {other[name]:.4f}"
        yield from self._differing("(e) computed", state, others, most)

    def _drawn(self, trainer: Trainer) -> Iterator[str]:
        """Count how often each window and each mirror image of a picture is drawn."""
        learner, store, counts = trainer.learner, trainer.store, {}
        step, read = learner.step, store.read
        looked = []

        def seen(slots, views=0, windows=None):
            looked.append((np.broadcast_to(views, slots.shape), windows))
            return read(slots, views, windows)

        def counted(batch):
            values, labels, *windows = batch
            count = len(labels)
            views, apart = looked.pop(0)
            if store.layer == "conv1":
                columns = values.numpy().mean(axis=(1, 3))
                half = columns.shape[1] // 2
                views = columns[:, :half].mean(axis=1) > columns[:, half:].mean(axis=1)
            numbers = windows[0].numpy() if windows else apart
            numbers = np.zeros(count, int) if numbers is None else numbers
            for look in zip(views.astype(int).tolist(), np.asarray(numbers).tolist()):
                counts[look] = counts.get(look, 0) + 1
            return np.zeros(count, np.float32), np.zeros(count, bool)

        nothing = compute_metrics(np.zeros(2), np.ones(2, bool), np.zeros((2, 2)), np.arange(2))
        store.read, learner.step, trainer.measure = seen, counted, lambda *_, **__: nothing
        training = trainer.training
        trainer.training = trainer.examples([*self.job.dataset.train] * 12, store)
        trainer.run_epoch([])
        del store.read, trainer.measure
        trainer.training, learner.step = training, step
        trainer.restore(self.start)
        looks = self.variant.windows * (1 + self.settings.mirror)
        expected = {
            (view, window)
            for view in range(1 + self.settings.mirror)
            for window in range(self.variant.windows)
        }
        if set(counts) != expected:
            yield f"(b) drawn are {sorted(counts)} and not {sorted(expected)}"
        total = sum(counts.values())
        unlikely = 5 * np.sqrt(total / looks) + 3
        for look, count in counts.items():
            if abs(count - total / looks) > unlikely:
                yield f"(b) {look} was drawn {count} times of {total}, there are {looks}"

    def _gone_on_with(self, loop: Loop) -> Iterator[str]:
        """Go on with the last epoch from within, as a checkpoint has that."""
        history, folder = loop.history, self.job.run.checkpoints_folder
        whole, _ = load_checkpoint(checkpoint_path(folder, len(history)), loop.expected)
        trainer, before = loop.trainer, self.start
        if len(history) > 1:
            before, _ = load_checkpoint(checkpoint_path(folder, len(history) - 1), loop.expected)
        trainer.restore(before)
        steps = []

        class Enough(Exception):
            pass

        def check():
            steps.append(1)
            if len(steps) == 2:
                raise Enough

        try:
            trainer.run_epoch(history[:-1], check)
        except Enough:
            configured = {"unfinished": True, "identity": loop.expected.identity}
            save_checkpoint(folder, trainer.state(), history[:-1], **configured)
            path = checkpoint_path(folder, len(history) - 1, unfinished=True)
            state, _ = load_checkpoint(path, loop.expected)
            trainer.restore(self.start)
            trainer.restore(state)
            trainer.run_epoch(history[:-1])
            path.unlink()
        for name, array in trainer.state().items():
            if not np.array_equal(array, whole[name]):
                yield f"(c) {name} is another when it was gone on with"

    def _as_exported(self, loop: Loop) -> Iterator[str]:
        """Compare what is reported of the finished network with what its file answers."""
        lines: list[str] = []
        log = logging.Logger("row")
        log.addHandler(handler := logging.Handler())
        handler.emit = lambda record: lines.append(record.getMessage())
        trainer = loop.choose_weights()
        found = finish(trainer, log)
        write_model(self.job.run, trainer.network())
        model = load_model(self.job.run.model_path)
        variant, configured = self.variant, self.settings
        pictures = self.job.dataset.validation
        images = [load_image(picture.path, variant, configured.resize) for picture in pictures]
        inputs = preprocess_input(np.stack(images), variant)
        predictions = self._predictions(model, inputs)
        store = self.stores[1]
        most = BYTE if store.dtype == np.uint8 and store.layer != "conv1" else FLOAT32
        most = most if self.is_exact else BFLOAT16
        off = np.abs(predictions - found.probabilities).max()
        if off > most:
            yield f"(a) probabilities are {off:.2g} off those of model.keras"
        kept = cached_predictions(model, store, pictures)
        most = FLOAT32 if self.is_exact else BFLOAT16
        if np.abs(kept - found.probabilities).max() > most:
            yield f"(a) off those of what is kept by {np.abs(kept - found.probabilities).max():.2g}"
        labels = trainer.validation.labels
        chances = found.probabilities[np.arange(len(labels)), labels].astype(np.float64)
        if abs(-np.log(chances).mean() - found.loss) > 1e-5:
            yield f"(a) the loss is {found.loss}, of its answers {-np.log(chances).mean()}"
        accuracy = np.mean(found.probabilities.argmax(axis=1) == labels)
        if accuracy != found.accuracy:
            yield f"(a) the accuracy is {found.accuracy}, of its answers {accuracy}"
        if configured.calibrate and "calibrated" not in "".join(lines):
            yield "(a) it was not calibrated"

    def _predictions(self, model: keras.Model, inputs: np.ndarray) -> np.ndarray:
        """Ask the exported network; what was kept of a layer's inputs, it sees as rounded."""
        store = self.stores[1]
        if store.layer == "conv1":
            return model(inputs).numpy()
        below = part(model, "conv1", store.layer)
        values = below(inputs).numpy().astype(store.dtype_read)
        if store.dtype == np.uint8:
            values = decode(encode(values))
        return keras.Model(below.output, model.output)(values.astype(np.float32)).numpy()

    def _differing(self, what: str, ours: dict, theirs: dict, most: float) -> Iterator[str]:
        for name in self.start:
            if name in ours and not name.startswith(("epoch/", "optimizer/")):
                off = self._apart(ours[name], theirs[name], self.start[name])
                if off > most:
                    yield f"{what}, {name} is {off:.2g} off"

    def _apart(self, ours: np.ndarray, theirs: np.ndarray, before: np.ndarray) -> float:
        """Return how far two arrays are apart, beyond float32's rounding, as a part of how far they
        came from the start, or of what sums of the precision come to that nearly cancel."""
        ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
        came = np.linalg.norm(theirs - before)
        rounding = np.finfo(np.float32).eps * np.linalg.norm(theirs)
        off = max(0, np.linalg.norm(ours - theirs) - rounding)
        return float(off / max(came, 1e-3 if self.is_exact else 1e-2))


@contextmanager
def _untraced() -> Iterator[None]:
    """Run each function of TensorFlow as Python: what makes three steps is not worth compiling."""
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


def fuzz(count: int, seed: int, folder: Path, start: int = 0, *_: str) -> Report:
    """Try `count` rows of the series `seed`, from number `start` on."""
    combinations, report = Combinations(folder), Report(GOOD)
    for number, row in islice(enumerate(rows(seed)), start, start + count):
        begun = time.monotonic()
        try:
            outcome = "; ".join(combinations.wrong(row)) or "right"
        except Exception as error:
            outcome = f"{error!r}"
        report.add(number, str(row), 0, outcome, time.monotonic() - begun, 0)
    return report
