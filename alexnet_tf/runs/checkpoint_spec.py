"""The expected contents of checkpoints, and the training that they belong to."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np

from alexnet_tf.runs.settings import DEFAULTS, FOUND_BY_CONTENT, FREE_SETTINGS, LINEAR, Settings
from alexnet_tf.variants import FC_LAYERS

# Arrays of an unfinished epoch (`alexnet_tf.training.epoch`), which the first version lacks.
EPOCH = ("epoch/steps", "epoch/seconds", "epoch/losses", "epoch/hits")


@dataclass(frozen=True)
class CheckpointSpec:
    """The expected contents of a training's checkpoints: an epoch has so many training `pictures`;
    `data` and `weights` are the fingerprints of all pictures and of the initial weights."""

    settings: Settings
    classes: Sequence[str]
    pictures: int
    data: str
    weights: str

    @cached_property
    def identity(self) -> str:
        """The SHA-256 of all that the values of a checkpoint depend on: the classes, the
        fingerprints, and the settings that are not free, except at their defaults, so that later
        versions may add some."""
        left_out = (*FREE_SETTINGS, *FOUND_BY_CONTENT)
        changed = {
            name: value
            for name, value in asdict(self.settings).items()
            if name not in left_out and value != DEFAULTS[name]
        }
        content = json.dumps([changed, [*self.classes], self.data, self.weights], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the state of a `Trainer` but for `EPOCH`: layers, momenta, averages."""
        settings, variant = self.settings, self.settings.chosen_variant()
        kernels = variant.conv_kernels() | variant.fc_kernels(len(self.classes))
        if settings.head == LINEAR:
            kernel = kernels["fc8"]
            return {"fc8/kernel": kernel, "fc8/bias": kernel[-1:], "strength": ()}
        # Layer before each dropout → the layer after it.
        dropouts = {}
        if variant.dropout and "drop" in variant.head:
            after = FC_LAYERS if variant.head[0] == "drop" else FC_LAYERS[1:]
            dropouts = dict(zip(FC_LAYERS[:2], after))
        shapes: dict[str, tuple[int, ...]] = {}
        for layer, kernel in kernels.items():
            is_conv, number = layer.startswith("conv"), layer[-1]
            trained = {f"{layer}/kernel": kernel, f"{layer}/bias": kernel[-1:]}
            if variant.activation == "prelu" and layer != "fc8":
                trained[f"prelu{number}/alpha"] = (1, 1, *kernel[-1:]) if is_conv else kernel[-1:]
            if layer >= settings.first_kept():
                shapes |= trained
            if layer >= settings.first_trained():
                for name, shape in trained.items():
                    shapes[f"optimizer/{name.replace('/', '_')}_momentum"] = shape
                    if settings.ema:
                        shapes[f"ema/{name}"] = shape
            if layer in dropouts and dropouts[layer] >= settings.first_of_head():
                shapes[f"drop{number}/seed_generator_state"] = (2,)
        return shapes | {"optimizer/iteration": (), "optimizer/learning_rate": ()}

    def check_headers(self, found: dict[str, tuple[tuple[int, ...], np.dtype]]) -> None:
        """Raise ValueError, before any array is read, for unexpected names, shapes and types."""
        epoch = EPOCH if any(name in found for name in EPOCH) else ()
        wanted = {*self.shapes, *epoch}
        for name in sorted(wanted ^ set(found)):
            raise ValueError(f"it {'lacks' if name in wanted else 'should not have'} {name}")
        for name, (shape, dtype) in found.items():
            kind = "b" if name == "epoch/hits" else "fiu"
            if dtype.kind not in kind or dtype.itemsize > 8:
                raise ValueError(f"{name} is of the type {dtype}")
            if name in EPOCH[2:]:
                if len(shape) != 1 or shape[0] > self.pictures:
                    raise ValueError(f"{name} has the shape {shape}")
            elif shape != self.shapes.get(name, ()):
                raise ValueError(f"{name} has the shape {shape}, not {self.shapes.get(name, ())}")

    def check_epoch(self, arrays: dict[str, np.ndarray], unfinished: bool) -> None:
        """Raise ValueError unless the unfinished epoch is one of this training."""
        if EPOCH[0] not in arrays:
            return
        steps, losses, hits = (arrays[name] for name in (EPOCH[0], *EPOCH[2:]))
        in_all = -(-self.pictures // self.settings.batch_size)
        if not (0 < steps <= in_all if unfinished else steps == 0):
            raise ValueError(f"it is after step {steps} of {in_all}")
        # Steps have equal numbers of pictures, or one more at first.
        each, larger = divmod(self.pictures, in_all)
        if not len(losses) == len(hits) == steps * each + min(steps, larger):
            raise ValueError(f"it has {len(losses)} losses after step {steps}")
