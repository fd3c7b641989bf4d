"""The settings of a training: their defaults and their help."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from functools import partial

from alexnet_tf.data.images.preprocessing import RESIZES
from alexnet_tf.errors import UserError
from alexnet_tf.runs.options import option
from alexnet_tf.system import arguments
from alexnet_tf.system.processor import PRECISIONS
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

# In place of a file of weights: all layers start at random.
NO_WEIGHTS = "none"
LOSS, BALANCED = "loss", "balanced"
RANDOM, PRETRAINED, LINEAR = HEADS = ("random", "pretrained", "linear")
# With fewer pictures a linear head is more accurate than fc6 and fc7: docs/accuracy.md.
FEW = 1500
# Units of fc6 and fc7 in a new head, unless its variant has fewer.
NEW_UNITS = 1024
LIGHT, FULL, _ = TENSORBOARD = ("light", "full", "off")
# Caffe's models/finetune_flickr_style: the new fc8 has ten times the learning rate of the others.
HEAD_RATE = 0.1
# Settings with which a picture changes in every epoch, so that there are no features to store.
CHANGING = ("crop", "color_shift", "rotate", "zoom", "brightness", "contrast")


_data, _network, _optimization = (
    partial(option, group) for group in ("data", "network", "optimization")
)
_files, _free = (partial(option, group, free=True) for group in ("files", "optimization"))


@dataclass(frozen=True)
class Settings:
    """The settings of a training, named and ordered as in config.json; None stands for the
    variant's own value. `alexnet_tf.training.resolve` resolves None and 0."""

    data: str = _data(
        "data",
        "pictures: a folder with a folder for each class, or of cat.N.jpg and dog.N.jpg, or such"
        " folders in train/, val/ and test/; a zip or .tar.gz of any of these; lists, train.txt and"
        " val.txt (lines 'path label', or addresses in place of paths), or CSV files; or shards, as"
        " `python -m alexnet_tf data --shards` writes them",
        arguments.place,
        several=True,
    )
    weights: str = _network(
        "weights/bvlc_alexnet.npy",
        "initial weights: pretrained ones (a file of Caffe, ONNX, PyTorch, safetensors or this"
        f" program; by default whichever format `{command('weights')}` fetched) or starter, without"
        " their fc8; those of a finished run, given by its directory, with fc8; or none, and all"
        " layers start at random",
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
        "side in pixels of the picture that the convolutions see; the head sees windows of it as"
        " large as the network's input: a random one in training, and all of them, with those of"
        " the mirror image if --mirror, as test-time views. 256, 288 and 320 are useful; the"
        " network's own size means no windows. 0: on pretrained convolutions without"
        " --crop 288 for 224 or 227 pixels and 160 for 128, else no windows",
        arguments.scale,
    )
    leave_out: str | None = _data(
        None,
        "a list or table of pictures to leave out, such as the suspects.csv of a run; delete the"
        " lines of those that are labelled correctly",
        arguments.place,
    )
    label: str | None = _data(
        None,
        "the column of the labels, where a table has several that could be; of folders in folders"
        " the level of the classes, from 1 on; of FGVC-Aircraft variant, family or manufacturer",
        arguments.place,
        "COLUMN",
    )
    from_run: str | None = _data(
        None,
        "a finished run, whose pictures in their splits come before those of --data, which may have"
        " new classes; its settings are the defaults",
        arguments.place,
        "RUN",
        free=True,
    )
    split: int | None = _data(
        None,
        "one of several splits that a data set is published with, such as the ten of DTD",
        arguments.positive,
    )
    train: str = _network(
        "head",
        "the layers to train: head (fc6, fc7, fc8), all, or from:LAYER on; layers below are frozen",
        choices=("head", "all", *(f"from:{name}" for name in (*CONV_LAYERS, *FC_LAYERS))),
    )
    head: str | None = _network(
        None,
        "how trained fc6 and fc7 start: pretrained or random (pretrained if the weights have both"
        " and are not the starter); or linear: there is neither, and fc8 is solved for, which is"
        f" best for few pictures. With fewer than {FEW:,} it replaces random ones, unless a setting"
        " of fc6 and fc7 is given",
        choices=HEADS,
    )
    head_rate: float | None = _network(
        None,
        "factor of the learning rate, with --head pretrained, for all pretrained layers below fc8"
        f" ({HEAD_RATE} if fc8 is new; 1 if it is a run's)",
        arguments.positive_real,
    )
    initial: str | None = _network(
        None,
        "initializer of new layers: Gaussians of 0.01 and biases of 1 in the layers that the paper"
        " names; Caffe's, with 0.1 there, because with 1 the loss stays flat; Keras's; or the"
        " truncated Gaussians of 0.1 of TensorFlow's tutorial (the variant's own; Keras's for a"
        " head on pretrained convolutions)",
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
        None, "dropout rate of fc6 and fc7 (the variant's: 0.5)", arguments.part
    )
    width: float = _network(1.0, "factor of the numbers of filters and units", arguments.width)
    units: int | None = _network(
        None,
        "units in fc6 and in fc7 (the variant's: 4096); 0: at most"
        f" {NEW_UNITS} where fc6 starts at random on pretrained convolutions",
        arguments.units,
    )
    epochs: int = _free(
        10,
        "passes over the training pictures; a higher number continues a finished run",
        arguments.positive,
    )
    batch_size: int = _optimization(256, "pictures in a training step", arguments.positive)
    learning_rate: float = _optimization(
        0.01, "try a tenth of it if the loss grows", arguments.positive_real
    )
    schedule: str = _optimization(
        "constant",
        "plateau: the learning rate is multiplied by --decay when the validation accuracy has not"
        " improved for --patience epochs; exponential: after every --decay-samples pictures;"
        " cosine: it falls to 0 along half a cosine, over --fall epochs",
        choices=("constant", "plateau", "exponential", "cosine"),
    )
    warm_up: float = _optimization(
        0.0, "epochs over which the learning rate grows to its full size", arguments.natural_real
    )
    decay: float = _optimization(
        0.1, "factor of the learning rate: see --schedule", arguments.share
    )
    patience: int = _optimization(5, "see --schedule", arguments.positive)
    decay_samples: int = _optimization(5_000_000, "see --schedule", arguments.positive)
    fall: int = _optimization(0, "see --schedule; 0: the --epochs of the start", arguments.natural)
    weight_decay: float = _optimization(
        0.0,
        "share of each kernel that a step with learning rate 1 removes, through the momentum as in"
        " the paper",
        arguments.natural_real,
    )
    decoupled: bool = _optimization(False, "apply weight decay beside the momentum, not through it")
    clip: float = _optimization(
        0.0,
        "clip the global norm of the gradient to this value, against NaN; 0: never",
        arguments.natural_real,
    )
    ema: float = _optimization(
        0.0,
        "validate and keep an exponential moving average of the weights over about X epochs; 0:"
        " the weights themselves",
        arguments.natural_real,
    )
    stop_early: int = _free(
        0,
        "stop when the validation loss has not improved for N epochs; 0: never",
        arguments.natural,
    )
    balance: bool = _optimization(
        False, "weight the loss of each class by pictures / (classes × pictures of the class)"
    )
    best: str = _free(
        "accuracy",
        "metric of the best epoch: the validation accuracy; the validation loss, which is less"
        " noisy; or the balanced accuracy, the mean over classes",
        choices=("accuracy", LOSS, BALANCED),
    )
    mirror: bool = _data(
        True, "train on mirror images too: on either flip of a picture in each epoch, at random"
    )
    crop: bool = _data(False, "train on random crops, not on the centre crop")
    color_shift: float = _data(
        0.0,
        "standard deviation of a random shift along the colours' principal components; the paper's"
        " is 0.1",
        arguments.natural_real,
    )
    rotate: float = _data(
        0.0,
        "most degrees, to either side, by which a picture is turned at random (Keras's"
        " RandomRotation)",
        arguments.degrees,
    )
    zoom: float = _data(
        0.0,
        "largest share by which a picture shrinks or grows at random (RandomZoom)",
        arguments.part,
    )
    brightness: float = _data(
        0.0,
        "largest share of white that is added to a picture, or taken away, at random"
        " (RandomBrightness)",
        arguments.share,
    )
    contrast: float = _data(
        0.0,
        "largest share by which the contrast falls or grows at random (RandomContrast)",
        arguments.share,
    )
    seed: int = _optimization(
        0,
        "seed of the 85/15 split and of every random number; it determines the model",
        arguments.seed,
    )
    precision: str = _optimization(
        "auto",
        "precision of all layers but the last: float32; bfloat16; int8, which is frozen"
        " convolutions by OpenVINO and the rest in float32; or int8-conv2, the same from conv2 on,"
        " for processors without VNNI. auto: the fastest on this machine, which is measured",
        choices=("auto", *PRECISIONS),
    )
    threads: int = _optimization(0, "threads of an operation; 0: all processors", arguments.threads)
    worker_timeout: int = _free(
        60,
        "seconds that a worker may be silent before the others end",
        arguments.positive,
    )
    calibrate: bool = _free(
        False, "calibrate the finished network's probabilities by temperature scaling"
    )
    keep: int = _files(
        2,
        "checkpoints to keep besides the best one, of about 126 MB for a new head, 440 MB for one"
        " of 4096 units",
        arguments.positive,
    )
    average: int = _free(
        0,
        "average the weights of the last N epochs instead of taking the best one",
        arguments.natural,
    )
    log_every: int = _files(0, "log a line every N steps", arguments.natural)
    tensorboard: str = _files(
        LIGHT,
        "events for TensorBoard: light, less than 50 MB however many epochs there are; full, more"
        " of every epoch; or off",
        choices=TENSORBOARD,
    )
    report: bool = _files(True, "write report.html, a page about the run, at the end")
    features: str = _files(
        "data/features",
        "folder for the outputs of frozen layers, shared by all runs",
        arguments.place,
    )
    max_lost: float = _files(
        0.05,
        "largest share of pictures (0 to 1) that may vanish or change while they are read, which"
        " are named and left out; a larger one stops the run",
        arguments.share,
    )

    def chosen_variant(self) -> Variant:
        """Return the variant with its changed fields; UserError as `change`."""
        variant = get_variant(self.variant)
        scale = None if self.scale == variant.image_size else self.scale
        own = self.initial, self.activation, self.lrn, self.overlap, self.dropout, self.width
        return change(variant, *own, self.units, scale, self.mirror, self.head == LINEAR)

    def first_trained(self) -> str:
        """Return the lowest trained layer; UserError if the variant lacks it."""
        layer = {"head": "fc6", "all": "conv1"}.get(self.train, self.train.removeprefix("from:"))
        if layer not in (*self.chosen_variant().conv_layers, *FC_LAYERS):
            raise UserError(f"--train {self.train}: the variant {self.variant} has no {layer}")
        return layer

    def first_of_head(self) -> str:
        """Return the layer whose inputs are standardized: fc6, or the lowest trained layer above;
        always fc6 in runs of earlier versions, which have no `head`."""
        return max("fc6", self.first_trained()) if self.head else "fc6"

    def first_computed(self) -> str:
        """Return the layer whose inputs the feature store holds; conv1's are the pictures."""
        if any(getattr(self, name) for name in CHANGING):
            return "conv1"
        return self.first_kept()

    def first_kept(self) -> str:
        """Return the lowest layer in a checkpoint: the first trained layer, or the head's first."""
        return min(self.first_trained(), self.first_of_head())


FREE_SETTINGS = tuple(each.name for each in fields(Settings) if each.metadata["free"])
DEFAULTS = asdict(Settings())
# Settings that are compared by the digests of the contents, not by path.
FOUND_BY_CONTENT = ("data", "weights", "leave_out")
