"""What a training is told: every setting with its default and its help, and whole recipes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, fields
from typing import Any

from alexnet_tf.ablations import ACTIVATIONS, change
from alexnet_tf.data.images import RESIZES
from alexnet_tf.errors import UserError
from alexnet_tf.system import arguments
from alexnet_tf.system.processor import PRECISIONS
from alexnet_tf.variants import CONV_LAYERS, FC_LAYERS, INITIALS, VARIANTS, Variant, get_variant

# In place of a file of weights: none, all layers start at random.
NO_WEIGHTS = "none"
SCHEDULES = ("constant", "plateau", "exponential")


def _option(
    default: Any,
    help: str,
    metavar: str | None = None,
    kind: Callable[[str], Any] | None = None,
    choices: Collection[str] | None = None,
    free: bool = False,
) -> Any:
    """A setting; `free` if it may change from one start to the next, for it changes no step."""
    argument = {"help": help, "metavar": metavar, "type": kind, "choices": choices}
    argument = {name: value for name, value in argument.items() if value is not None}
    return field(default=default, metadata={"argument": argument, "free": free})


@dataclass(frozen=True)
class Settings:
    """All that a training is told. None stands for what the variant says.

    The precision ``auto`` becomes that of the processor of the first start.
    """

    data: str = _option(
        "data",
        "pictures: a folder of cat.N.jpg and dog.N.jpg, a folder with a folder for each class, a"
        " zip of either, or train.txt and val.txt (lines 'path label') or the folder of both",
        "PATH",
    )
    weights: str = _option(
        "weights/bvlc_alexnet.npy",
        "what to start from: pretrained weights (.npy, .caffemodel, .pth, .npz, .keras or"
        " .weights.h5) or starter, of which conv1 to conv5 are taken; the directory of a finished"
        " run, of which all layers are taken; or none, and all layers start at random",
        "FILE",
    )
    variant: str = _option(
        "bvlc", "the AlexNet to train: that of the weights, if there are any", choices=VARIANTS
    )
    resize: str = _option(
        "short",
        "scale the short side of a picture to 256 pixels and cut out the centre; squash it to"
        " 256 × 256, as Caffe did, and cut out the centre; or squash it to the input's size",
        choices=RESIZES,
    )
    train: str = _option(
        "head",
        "the layers to train: head (fc6, fc7, fc8), all, or from:LAYER on; what is below stays as"
        " the weights have it",
        choices=("head", "all", *(f"from:{name}" for name in (*CONV_LAYERS, *FC_LAYERS))),
    )

    initial: str | None = _option(
        None,
        "what layers without weights start from: Gaussians of 0.01 and biases of 1 in the layers"
        " that the paper names; Caffe's, with 0.1 there, for its authors found that with 1 the loss"
        " stays flat; Keras's; or the truncated Gaussians of 0.1 of TensorFlow's tutorial (the"
        " variant's own; Keras's for a head on pretrained convolutions)",
        choices=INITIALS,
    )
    activation: str | None = _option(
        None, "of every layer but the last (the variant's: relu)", choices=ACTIVATIONS
    )
    lrn: bool | None = _option(
        None, "local response normalization after conv1 and conv2 (as the variant)"
    )
    overlap: bool | None = _option(
        None, "pooling windows larger than their stride (as the variant)"
    )
    dropout: float | None = _option(
        None,
        "share of the values that is left out of fc6 and fc7 in training (the variant's: 0.5)",
        "SHARE",
        arguments.share,
    )
    width: float = _option(
        1.0, "multiplies the numbers of filters and units", "X", arguments.positive_real
    )

    epochs: int = _option(
        10,
        "how often every training picture is seen; a higher number continues a finished run",
        "N",
        arguments.positive,
        free=True,
    )
    batch_size: int = _option(256, "pictures in one step of training", "N", arguments.positive)
    learning_rate: float = _option(
        0.01,
        "size of a step; try a tenth of it if the loss grows",
        "X",
        arguments.positive_real,
    )
    schedule: str = _option(
        "constant",
        "plateau: the learning rate is multiplied by --decay when the validation accuracy has not"
        " improved for --patience epochs; exponential: whenever --decay-samples pictures were seen",
        choices=SCHEDULES,
    )
    decay: float = _option(
        0.1, "what --schedule multiplies the learning rate by", "X", arguments.share
    )
    patience: int = _option(5, "see --schedule", "N", arguments.positive)
    decay_samples: int = _option(5_000_000, "see --schedule", "N", arguments.positive)
    weight_decay: float = _option(
        0.0,
        "share of each kernel that a step of rate 1 takes away; as in the paper's update it goes"
        " through the momentum",
        "X",
        arguments.real,
    )
    decoupled: bool = _option(False, "weight decay beside the momentum, not through it")

    mirror: bool = _option(
        True,
        "train on mirror images too: on either view of a picture in each epoch, at random",
    )
    crop: bool = _option(
        False, "cut the input out at random places of the square, not at its centre"
    )
    color_shift: float = _option(
        0.0,
        "deviation of the random shift along the principal components of the colours; the paper's"
        " is 0.1",
        "X",
        arguments.real,
    )
    seed: int = _option(
        0,
        "of the 85/15 split and of every random number; the same seed gives the same model",
        "N",
        arguments.natural,
    )
    precision: str = _option(
        "auto",
        "what all layers but the last compute in; auto: bfloat16 where the processor has it",
        choices=("auto", *PRECISIONS),
    )
    threads: int = _option(
        0, "processor threads that an operation may use; 0: all", "N", arguments.natural
    )

    keep: int = _option(
        2,
        "checkpoints to keep, beside the best one; each takes about 440 MB for a head",
        "N",
        arguments.positive,
        free=True,
    )
    average: int = _option(
        0,
        "the finished model has the mean weights of the last N epochs, not those of the best one",
        "N",
        arguments.natural,
        free=True,
    )
    log_every: int = _option(
        0, "a line in the log every N steps", "N", arguments.natural, free=True
    )
    features: str = _option(
        "data/features",
        "where the frozen layers' output for every picture is kept, for all runs",
        "DIR",
        free=True,
    )
    max_lost: float = _option(
        0.05,
        "pictures may vanish or change while they are read: they are named and left out, and only a"
        " larger share of them (0 to 1) stops the run",
        "SHARE",
        arguments.share,
        free=True,
    )

    def row(self) -> Variant:
        """The variant, with what the settings change about it."""
        return change(
            get_variant(self.variant),
            self.initial,
            self.activation,
            self.lrn,
            self.overlap,
            self.dropout,
            self.width,
        )

    def first_trained(self) -> str:
        """The lowest layer that is trained; UserError when the variant lacks it."""
        layer = {"head": "fc6", "all": "conv1"}.get(self.train, self.train.removeprefix("from:"))
        if layer not in (*self.row().conv_layers, *FC_LAYERS):
            raise UserError(f"--train {self.train}: the variant {self.variant} has no {layer}")
        return layer

    def first_computed(self) -> str:
        """The layer whose inputs are kept on the disk for every picture; conv1's are pictures."""
        if self.crop or self.color_shift:  # a picture is another in every epoch
            return "conv1"
        return min(self.first_trained(), "fc6")


FREE = tuple(each.name for each in fields(Settings) if each.metadata["free"])

RECIPES: dict[str, dict[str, Any]] = {
    "head": {},
    # Krizhevsky 2012, sections 4 and 5.
    "paper": {
        "variant": "paper",
        "weights": NO_WEIGHTS,
        "train": "all",
        "initial": "paper",
        "epochs": 90,
        "batch_size": 128,
        "learning_rate": 0.01,
        "schedule": "plateau",
        "weight_decay": 0.0005,
        "crop": True,
        "color_shift": 0.1,
    },
    # What every variant for small pictures learns by, in some ten epochs of 10,000 pictures.
    "scratch": {
        "weights": NO_WEIGHTS,
        "train": "all",
        "initial": "keras",
        "batch_size": 64,
        "learning_rate": 0.02,
        "weight_decay": 0.0005,
    },
    # How alexnet_tf/starter/ was made; its README.md says why.
    "starter": {
        "variant": "starter",
        "weights": NO_WEIGHTS,
        "train": "all",
        "epochs": 30,
        "batch_size": 64,
        "learning_rate": 0.01,
        "schedule": "exponential",
        "decay": 0.5,
        "decay_samples": 110_000,
        "weight_decay": 0.0005,
        "crop": True,
        "color_shift": 0.1,
        "average": 5,
    },
    # PaddlePaddle's image classification on CIFAR-10. Its loss is the sum over a batch, ours the
    # mean, so that its rate 0.1 / 128 and its L2 0.0002 × 128 are these.
    "paddle": {
        "variant": "cifar96",
        "weights": NO_WEIGHTS,
        "train": "all",
        "epochs": 200,
        "batch_size": 128,
        "learning_rate": 0.1,
        "schedule": "exponential",
        "weight_decay": 0.0002,
        "mirror": False,
        "log_every": 100,
    },
}
