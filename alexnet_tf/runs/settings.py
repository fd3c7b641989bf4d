"""Every setting of a training: its default, its help, its rules."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, fields, replace
from functools import partial

from alexnet_tf.data.images.preprocessing import RESIZES
from alexnet_tf.errors import UserError
from alexnet_tf.runs.options import option, reason_against
from alexnet_tf.system import arguments
from alexnet_tf.system.processor import PRECISIONS, is_int8
from alexnet_tf.system.program import command
from alexnet_tf.variants import (
    ACTIVATIONS,
    CONV_LAYERS,
    FC_LAYERS,
    INITIALS,
    VARIANTS,
    Variant,
    change,
    get_variant,
)

# In place of a file of weights: none, all layers start at random.
NO_WEIGHTS = "none"
SCHEDULES = ("constant", "plateau", "exponential", "cosine")
# Settings of some schedules alone.
READ_BY = {
    "decay": ("plateau", "exponential"),
    "patience": ("plateau",),
    "decay_samples": ("exponential",),
    "fall": ("cosine",),
}
LOSS, BALANCED = "loss", "balanced"
RANDOM, PRETRAINED, LINEAR = HEADS = ("random", "pretrained", "linear")
# What a --scale of 0 stands for on pretrained convolutions, by the network's own size.
SCALES = {224: 288, 227: 288}
# Of so many pictures a linear head learns better than fc6 and fc7 do: docs/accuracy.md.
FEW = 1500
# Units in fc6 and in fc7 that a new head on those has, unless its variant has fewer.
NEW_UNITS = 1024
LIGHT, FULL, _ = TENSORBOARD = ("light", "full", "off")
# Caffe's models/finetune_flickr_style: fc8, which is new, learns at ten times the others' rate.
HEAD_RATE = 0.1


_data, _network, _optimization, _files = (
    partial(option, group) for group in ("data", "network", "optimization", "files")
)


@dataclass(frozen=True)
class Settings:
    """All that a training is told. None stands for what the variant says.

    The precision ``auto`` becomes the fastest on the machine of the first start. Names and order
    are those of config.json.
    """

    data: str = _data(
        "data",
        "pictures: a folder with a folder for each class, or of cat.N.jpg and dog.N.jpg, or such"
        " folders in train/, val/ and test/; a zip or .tar.gz of any of these; lists, train.txt and"
        " val.txt (lines 'path label', or addresses in place of paths), or CSV files; or shards, as"
        " `python -m alexnet_tf data --shards` writes them",
        "PATH",
        arguments.place,
        several=True,
    )
    weights: str = _network(
        "weights/bvlc_alexnet.npy",
        "what to start from: pretrained weights (a file of Caffe, ONNX, PyTorch, safetensors or"
        f" this program; in place of the default whichever format `{command('weights')}` fetched)"
        " or starter, of which all layers but fc8 are taken; the directory of a finished run, of"
        " which fc8 is taken too; or none, and all layers start at random",
        "FILE",
        arguments.place,
    )
    variant: str = _network(
        "bvlc", "the AlexNet to train: that of the weights, if there are any", choices=VARIANTS
    )
    resize: str = _data(
        "short",
        "scale the short side of a picture to 256 pixels and cut out the centre; squash it to"
        " 256 × 256, as Caffe did, and cut out the centre; or squash it to the input's size",
        choices=RESIZES,
    )
    scale: int | None = _data(
        None,
        "show the network the whole picture, so many pixels wide and high, of which its head sees"
        " windows as large as its own input: one of them at a time in training, and in answers all"
        " of them, with those of the mirror image where --mirror is; 256, 288 and 320 are of use."
        " 227, or whatever the network's own size is: no windows. 0: 288 on pretrained convolutions"
        " of 224 or 227 pixels, without --crop; else no windows",
        "PIXELS",
        arguments.scale,
    )
    leave_out: str | None = _data(
        None,
        "a list or table of pictures that are left out, such as the suspects.csv of a run; delete"
        " the lines of those that are labelled rightly",
        "FILE",
        arguments.place,
    )
    train: str = _network(
        "head",
        "the layers to train: head (fc6, fc7, fc8), all, or from:LAYER on; what is below stays as"
        " the weights have it",
        choices=("head", "all", *(f"from:{name}" for name in (*CONV_LAYERS, *FC_LAYERS))),
    )

    head: str | None = _network(
        None,
        "what those of fc6 and fc7 that are trained start from: pretrained, as the weights have"
        " them, or random (pretrained where the weights have both and are not the starter); or"
        " linear: there is neither, and fc8 alone is solved for, which is best for few pictures."
        f" With fewer than {FEW:,} it is taken in place of random ones, unless some other setting"
        " of theirs is given",
        choices=HEADS,
    )
    head_rate: float | None = _network(
        None,
        "what the learning rate is multiplied by, with --head pretrained, for all layers below fc8"
        f" that the weights gave ({HEAD_RATE} where fc8 is new; 1 where it is a run's)",
        "X",
        arguments.positive_real,
    )
    initial: str | None = _network(
        None,
        "what layers without weights start from: Gaussians of 0.01 and biases of 1 in the layers"
        " that the paper names; Caffe's, with 0.1 there, for its authors found that with 1 the loss"
        " stays flat; Keras's; or the truncated Gaussians of 0.1 of TensorFlow's tutorial (the"
        " variant's own; Keras's for a head on pretrained convolutions)",
        choices=INITIALS,
    )
    activation: str | None = _network(
        None, "of every layer but the last (the variant's: relu)", choices=ACTIVATIONS
    )
    lrn: bool | None = _network(
        None, "local response normalization after conv1 and conv2 (as the variant)"
    )
    overlap: bool | None = _network(
        None, "pooling windows larger than their stride (as the variant)"
    )
    dropout: float | None = _network(
        None,
        "share of the values that is left out of fc6 and fc7 in training (the variant's: 0.5)",
        "SHARE",
        arguments.part,
    )
    width: float = _network(
        1.0, "multiplies the numbers of filters and units", "X", arguments.width
    )
    units: int | None = _network(
        None,
        "units in fc6 and in fc7 (the variant's: 4096); 0: at most"
        f" {NEW_UNITS} where fc6 starts at random on pretrained convolutions",
        "N",
        arguments.units,
    )

    epochs: int = _optimization(
        10,
        "how often every training picture is seen; a higher number continues a finished run",
        "N",
        arguments.positive,
        free=True,
    )
    batch_size: int = _optimization(
        256, "pictures in one step of training", "N", arguments.positive
    )
    learning_rate: float = _optimization(
        0.01,
        "size of a step; try a tenth of it if the loss grows",
        "X",
        arguments.positive_real,
    )
    schedule: str = _optimization(
        "constant",
        "plateau: the learning rate is multiplied by --decay when the validation accuracy has not"
        " improved for --patience epochs; exponential: whenever --decay-samples pictures were seen;"
        " cosine: it falls along half a cosine, to nothing after --fall epochs",
        choices=SCHEDULES,
    )
    warm_up: float = _optimization(
        0.0,
        "epochs over which the learning rate grows to its full size",
        "X",
        arguments.real,
    )
    decay: float = _optimization(
        0.1, "what --schedule multiplies the learning rate by", "X", arguments.share
    )
    patience: int = _optimization(5, "see --schedule", "N", arguments.positive)
    decay_samples: int = _optimization(5_000_000, "see --schedule", "N", arguments.positive)
    fall: int = _optimization(
        0, "see --schedule; 0: the --epochs of the start", "N", arguments.natural
    )
    weight_decay: float = _optimization(
        0.0,
        "share of each kernel that a step of rate 1 takes away; as in the paper's update it goes"
        " through the momentum",
        "X",
        arguments.real,
    )
    decoupled: bool = _optimization(False, "weight decay beside the momentum, not through it")

    clip: float = _optimization(
        0.0,
        "shorten the gradient, all layers together, to this length where it is longer, so that no"
        " step is so large that the loss becomes NaN; 0: never",
        "X",
        arguments.real,
    )
    ema: float = _optimization(
        0.0,
        "the network that is measured and kept has a moving mean of the weights, over about the"
        " last X epochs; 0: the weights themselves",
        "X",
        arguments.real,
    )
    stop_early: int = _optimization(
        0,
        "end once the validation loss has not been lower for N epochs; 0: never",
        "N",
        arguments.natural,
        free=True,
    )

    balance: bool = _optimization(
        False,
        "pictures of rare classes count for more: pictures / (classes × pictures of the class)"
        " times as much",
    )
    best: str = _optimization(
        "accuracy",
        "what the best epoch is best in: the validation accuracy; the validation loss, which luck"
        " has less part in; or the mean of the accuracies of each class, which a rare class weighs"
        " in as much as a frequent one",
        choices=("accuracy", LOSS, BALANCED),
        free=True,
    )

    mirror: bool = _data(
        True,
        "train on mirror images too: on either view of a picture in each epoch, at random",
    )
    crop: bool = _data(False, "cut the input out at random places of the square, not at its centre")
    color_shift: float = _data(
        0.0,
        "deviation of the random shift along the principal components of the colours; the paper's"
        " is 0.1",
        "X",
        arguments.real,
    )
    seed: int = _optimization(
        0,
        "of the 85/15 split and of every random number; the same seed gives the same model",
        "N",
        arguments.seed,
    )
    precision: str = _optimization(
        "auto",
        "what all layers but the last compute in: float32; bfloat16; int8, which is frozen"
        " convolutions by OpenVINO and all else in float32; or int8-conv2, which is the same from"
        " conv2 on, where a processor has no int8 for conv1. auto: what is fastest on this machine,"
        " which is measured",
        choices=("auto", *PRECISIONS),
    )
    threads: int = _optimization(
        0, "processor threads that an operation may use; 0: all", "N", arguments.threads
    )

    worker_timeout: int = _optimization(
        60,
        "seconds that one of several machines may be silent before the others end",
        "SECONDS",
        arguments.positive,
        free=True,
    )

    calibrate: bool = _optimization(
        False,
        "make the finished network as sure of its answers as they are right: divide its logits by"
        " the temperature at which the validation loss is lowest",
        free=True,
    )

    keep: int = _files(
        2,
        "checkpoints to keep, beside the best one; each takes about 126 MB for a new"
        " head, 440 MB for one of 4096 units",
        "N",
        arguments.positive,
        free=True,
    )
    average: int = _optimization(
        0,
        "the finished model has the mean weights of the last N epochs, not those of the best one",
        "N",
        arguments.natural,
        free=True,
    )
    log_every: int = _files(0, "a line in the log every N steps", "N", arguments.natural, free=True)
    tensorboard: str = _files(
        LIGHT,
        "what is written for TensorBoard: light, which takes less than 50 MB however many epochs"
        " there are; full, more of every epoch; or off, nothing",
        choices=TENSORBOARD,
        free=True,
    )
    report: bool = _files(True, "end with report.html, a page about the run", free=True)
    features: str = _files(
        "data/features",
        "where the frozen layers' output for every picture is kept, for all runs",
        "DIR",
        arguments.place,
        free=True,
    )
    max_lost: float = _files(
        0.05,
        "pictures may vanish or change while they are read: they are named and left out, and only a"
        " larger share of them (0 to 1) stops the run",
        "SHARE",
        arguments.share,
        free=True,
    )

    def chosen_variant(self) -> Variant:
        """Return the variant, with what the settings change about it; UserError as `change`."""
        variant = get_variant(self.variant)
        return change(
            variant,
            self.initial,
            self.activation,
            self.lrn,
            self.overlap,
            self.dropout,
            self.width,
            self.units,
            None if self.scale == variant.image_size else self.scale,
            self.mirror,
            self.head == LINEAR,
        )

    def with_scale(self) -> Settings:
        """Return the settings with the --scale that 0 stands for."""
        if self.scale != 0:
            return self
        own = get_variant(self.variant).image_size
        has_windows = self.weights != NO_WEIGHTS and not self.crop
        return replace(self, scale=SCALES.get(own, own) if has_windows else own)

    def first_trained(self) -> str:
        """Return the lowest layer that is trained; UserError when the variant lacks it."""
        layer = {"head": "fc6", "all": "conv1"}.get(self.train, self.train.removeprefix("from:"))
        if layer not in (*self.chosen_variant().conv_layers, *FC_LAYERS):
            raise UserError(f"--train {self.train}: the variant {self.variant} has no {layer}")
        return layer

    def first_of_head(self) -> str:
        """Return the layer whose inputs are standardized: fc6, or the lowest that is trained where
        that is above.

        Runs of earlier versions, which know no `head`, have it at fc6 always.
        """
        return max("fc6", self.first_trained()) if self.head else "fc6"

    def first_computed(self) -> str:
        """Return the layer whose inputs are kept on the disk for every picture.

        Those of conv1 are the pictures themselves.
        """
        if self.crop or self.color_shift:  # a picture is another in every epoch
            return "conv1"
        return self.first_kept()

    def first_kept(self) -> str:
        """Return the lowest layer in a checkpoint: the first of those trained, or of the head."""
        return min(self.first_trained(), self.first_of_head())

    def check_values(self) -> None:
        """Refuse values that no command line would take: UserError, naming the setting."""
        for setting in fields(self):
            reason = reason_against(setting, getattr(self, setting.name))
            if reason:
                raise UserError(f"--{setting.name.replace('_', '-')}: {reason}")

    def check(self) -> None:
        """Refuse settings that do not go together: UserError, saying what to give instead."""
        self.check_values()
        first = self.first_trained()
        if self.weights == NO_WEIGHTS and first != "conv1":
            raise UserError(
                f"--weights {NO_WEIGHTS} leaves the layers below {first} without weights; give "
                "--train all, or weights"
            )
        if self.weights == NO_WEIGHTS and (self.head == PRETRAINED or self.head_rate):
            raise UserError(f"--weights {NO_WEIGHTS} has no layers for --head and --head-rate")
        if self.head == RANDOM and self.head_rate:
            raise UserError(f"--head-rate goes with --head {PRETRAINED}, not with {RANDOM}")
        if is_int8(self.precision) and self.first_computed() == "conv1":
            raise UserError(
                f"--precision {self.precision} is of convolutions that are computed once, and with"
                " --train all, --crop or --color-shift none are; give another one, or auto"
            )
        if self.head == LINEAR:
            self._check_linear()
        self._check_scale()
        if 0 < self.fall < self.epochs and self.schedule == "cosine":
            raise UserError(
                f"--epochs {self.epochs}: after --fall {self.fall} epochs the learning rate is 0, "
                "and more of them change nothing; start another --run for more"
            )
        if self.crop and self.resize == "squash":
            raise UserError(
                "--crop has nothing to cut from after --resize squash; give short or caffe"
            )

    def check_read(self, told: Collection[str]) -> None:
        """Refuse those of the settings `told` that nothing reads beside the others: UserError."""
        for name, schedules in READ_BY.items():
            if name in told and self.schedule not in schedules:
                raise UserError(
                    f"--{name.replace('_', '-')}: is read by --schedule {' or '.join(schedules)}, "
                    f"not by {self.schedule}; give that, too, or leave it out"
                )
        if "decoupled" in told and self.decoupled and not self.weight_decay:
            raise UserError("--decoupled: says how --weight-decay works; give that, too")
        if "dropout" in told and self.dropout and "drop" not in get_variant(self.variant).head:
            raise UserError(f"--dropout: the variant {self.variant} has none; leave it out")

    def _check_linear(self) -> None:
        """Refuse what a linear head cannot do: UserError."""
        if self.weights == NO_WEIGHTS or self.train != "head":
            raise UserError(f"--head {LINEAR} goes with pretrained weights and --train head")
        for name in ("crop", "color_shift", "average"):
            if getattr(self, name):
                asked = name.replace("_", "-")
                raise UserError(
                    f"--{asked}: a linear head is solved for, once, from features that stay as they"
                    f" are; leave --{asked} out, or give --head {RANDOM}"
                )

    def _check_scale(self) -> None:
        """Refuse windows where there can be none: UserError."""
        variant = get_variant(self.variant)
        if not self.scale or self.scale == variant.image_size:
            return
        asked, own = f"--scale {self.scale}", variant.image_size
        if self.scale < own:
            raise UserError(f"{asked}: {variant.name} sees {own} pixels, and windows need more")
        if variant.pool_padding != "valid":
            raise UserError(
                f"{asked}: the last pooling of {variant.name} has a border, and so no "
                f"windows; give --scale {own}"
            )
        if self.crop:
            raise UserError(
                f"{asked}: its windows are crops; leave --crop out, or give --scale {own}"
            )


FREE_SETTINGS = tuple(each.name for each in fields(Settings) if each.metadata["free"])
# What `asdict` makes of settings that nobody has set.
DEFAULTS = asdict(Settings())
# Not these paths count, but the digests of what is there.
FOUND_BY_CONTENT = ("data", "weights", "leave_out")
