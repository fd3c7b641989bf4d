"""Is everything as it should be: the installation, the numbers of the network, a run?

A check is a function that returns what it found, or raises UserError: what is wrong, what to do.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from typing import Any

from alexnet_tf.data.dataset import Dataset, Row
from alexnet_tf.data.images import ImageError, read_content
from alexnet_tf.data.sources import read_lines, read_list
from alexnet_tf.errors import UserError
from alexnet_tf.runs.checkpoints import BrokenCheckpoint, load_checkpoint
from alexnet_tf.runs.run import STARTER, Run, starting_weights
from alexnet_tf.runs.settings import Settings
from alexnet_tf.system.processor import processor_flags
from alexnet_tf.system.quiet import import_tensorflow
from alexnet_tf.variants import get_variant
from alexnet_tf.weights.formats import READERS
from alexnet_tf.weights.loading import check_weights, fingerprint, read_weights
from alexnet_tf.weights.published import WEIGHTS
from alexnet_tf.weights.recognize import recognize

# What /proc/cpuinfo calls them; TensorFlow's kernels choose among them when they are first called.
FEATURES = ("avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16")
# Four checkpoints of 440 MB, the fourth while it is written, model.keras of 230 MB, and 37 kB of
# features for each of 25,000 pictures.
ROOM = 3 << 30
# A class this many times as large as another is most of what training sees.
IMBALANCE = 10


@dataclass(frozen=True)
class Finding:
    """What came of the check `name`."""

    name: str
    is_well: bool
    text: str


class RunFiles:
    """A run and what its files say, each read once."""

    def __init__(self, run: Run):
        self.run = run

    @cached_property
    def config(self) -> dict[str, Any]:
        return self.run.read_config()

    @cached_property
    def dataset(self) -> Dataset:
        """The pictures that the run's lists name; the digest of one that cannot be read is ""."""
        classes = [name for name in read_lines(self.run.directory / "classes.txt") if name]
        parts = [
            tuple(
                Row(path, self._index(label, classes), _digest(path))
                for path, label in read_list(self.run.directory / name)
            )
            for name in ("train.txt", "val.txt")
        ]
        return Dataset(tuple(classes), *parts)

    def _index(self, label: str, classes: list[str]) -> int:
        if not label.isdecimal() or int(label[:9]) >= len(classes):
            raise UserError(
                f"{self.run.directory}: a label in its lists is '{label}', but classes.txt has "
                f"{len(classes)} lines; start another run"
            )
        return int(label)


def examine(run: Run | None) -> Iterator[Finding]:
    """A finding for each check of the installation and, where one is given, of the `run`."""
    for check in INSTALLATION:
        yield _finding(check)
    if run is None:
        yield _finding(weights)
    else:
        files = RunFiles(run)
        for check in RUN:
            yield _finding(check, files)


def _finding(check: Callable[..., str], *arguments) -> Finding:
    try:
        return Finding(check.__name__, True, check(*arguments))
    except UserError as error:
        return Finding(check.__name__, False, " ".join(str(error).split()))


def versions() -> str:
    """Python and the packages, against what alexnet_tf's own metadata asks for."""
    from packaging.requirements import Requirement  # TensorFlow brings it

    try:
        needed = [Requirement(line) for line in metadata.requires("alexnet_tf") or ()]
        found = {
            needs.name: metadata.version(needs.name)
            for needs in needed
            if needs.marker is None or needs.marker.evaluate({"extra": ""})
        }
    except metadata.PackageNotFoundError as error:
        raise UserError(f"{error.name} is not installed; `make setup` installs it") from error
    for needs in needed:
        if needs.name in found and found[needs.name] not in needs.specifier:
            raise UserError(
                f"{needs.name} is {found[needs.name]}, not {needs.specifier}; `make setup` "
                "installs the right one"
            )
    return f"python {platform.python_version()}, " + ", ".join(
        f"{name} {version}" for name, version in found.items()
    )


def processor() -> str:
    """The features of the processor that count, where Linux lists them."""
    flags = processor_flags()
    if not flags:
        return f"{platform.machine()}, its features are not listed here"
    if "avx" not in flags:
        raise UserError("lacks AVX, which TensorFlow's packages need; take another machine")
    used = [feature for feature in FEATURES if feature in flags]
    return ", ".join((platform.machine(), *used))


def network() -> str:
    """The network's numbers, against numbers known to be right."""
    import_tensorflow()
    from alexnet_tf.inference.golden import TOLERANCE, golden_error

    error = golden_error()
    if not error <= TOLERANCE:  # so written, NaN is caught too
        raise UserError(
            f"its numbers are wrong by {error:.1e} of the largest; install the versions of "
            "constraints.txt (`make setup LOCKED=1`), or try another machine"
        )
    return f"right to {error:.0e} of the largest number"


def disk() -> str:
    """Room in the working directory."""
    free = shutil.disk_usage(".").free
    if free < ROOM:
        raise UserError(
            f"{free / 1e9:.1f} GB are free here, and a training on 25,000 photos takes "
            f"{ROOM / 1e9:.1f} GB; make room"
        )
    return f"{free / 1e9:.0f} GB free"


def weights() -> str:
    """Every file of weights in weights/."""
    paths = [path for path in sorted(WEIGHTS.glob("*")) if path.suffix in READERS]
    if not paths:
        raise UserError(f"there are none in {WEIGHTS}/; `make weights` fetches some")
    return ", ".join(f"{path}: {recognize(read_weights(path), path).name}" for path in paths)


def starter() -> str:
    """The network that comes with the program."""
    found = STARTER.read_config()
    row, classes = get_variant(found["settings"]["variant"]), found["classes"]
    check_weights(read_weights(STARTER.model), row, STARTER.model, len(classes))
    return f"{STARTER.model.name} is whole, it knows {' and '.join(classes)}"


def config(files: RunFiles) -> str:
    """config.json: a variant, settings and classes."""
    found, path = files.config, files.run.config
    get_variant(found["settings"]["variant"])
    classes = found["classes"]
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise UserError(f"{path}: its classes should be a list of names; start another run")
    if classes != list(files.dataset.classes):
        raise UserError(f"{path}: its classes are not those of classes.txt; put both back")
    return f"{found['settings']['variant']}, {len(classes)} classes"


def pretrained(files: RunFiles) -> str:
    """The weights that the run began with."""
    settings = Settings(**files.config["settings"])
    found = starting_weights(settings, settings.row())
    if fingerprint(found) != files.config["weights"]:
        raise UserError(
            f"{settings.weights}: is not what the run was started with; put that back to go on"
        )
    if not found:
        return "none, all layers began at random"
    return f"{settings.weights}: {recognize(found, settings.weights).name}"


def pictures(files: RunFiles) -> str:
    """The files behind the lists, and that they are those of the start."""
    dataset = files.dataset
    rows = (*dataset.train, *dataset.validation)
    gone = [row.path for row in rows if not row.digest]
    if gone:
        raise UserError(
            f"{len(gone)} of {len(rows)} cannot be read, the first is {gone[0]}; ask from the "
            "folder in which you trained, or put them back"
        )
    if dataset.fingerprint() != files.config["data"]:
        raise UserError(
            f"{files.run.directory}: its lists or pictures have changed since the start; put them "
            "back to go on, or start another run"
        )
    return f"{len(dataset.train)} to train with, {len(dataset.validation)} to validate with"


def duplicates(files: RunFiles) -> str:
    """Pictures on both sides of the split, by their bytes."""
    train = {row.digest: row.path for row in files.dataset.train if row.digest}
    both = [row.path for row in files.dataset.validation if row.digest in train]
    if both:
        raise UserError(
            f"{len(both)} pictures are trained on and validated with, the first is {both[0]}: "
            "val_accuracy is too good; start another run, which keeps copies on one side"
        )
    return "none across the split"


def balance(files: RunFiles) -> str:
    """How many pictures of each class there are to train with."""
    counts = Counter(row.label for row in files.dataset.train)
    sizes = {name: counts[index] for index, name in enumerate(files.dataset.classes)}
    few, many = (choose(sizes, key=sizes.__getitem__) for choose in (min, max))
    if sizes[many] > IMBALANCE * sizes[few]:
        raise UserError(
            f"'{many}' has {sizes[many]} pictures and '{few}' {sizes[few]}, so that few of the "
            "second will be recognized; add some, or leave some of the first out"
        )
    return f"{sizes[few]} to {sizes[many]} pictures of a class"


def checkpoints(files: RunFiles) -> str:
    """Every checkpoint, read from end to end, which compares its checksums."""
    paths = sorted(files.run.checkpoints.glob("epoch-*.npz"))
    if not paths:
        raise UserError(f"there are none; `make train RUN={files.run.directory}` makes some")
    for path in paths:
        try:
            load_checkpoint(path)
        except BrokenCheckpoint as error:
            raise UserError(
                f"{error}; `make train RUN={files.run.directory}` sets it aside and goes on after "
                "the one before it"
            ) from error
    return f"{len(paths)} readable, the last is {paths[-1].name}"


def model(files: RunFiles) -> str:
    """model.keras, opened and compared with the classes."""
    path = files.run.model
    if not path.is_file():
        raise UserError(
            f"{path}: is not there; `make train RUN={files.run.directory}` ends with it"
        )
    import_tensorflow()
    from alexnet_tf.model import load_model

    outputs = load_model(path).output_shape[-1]
    if outputs != len(files.config["classes"]):
        raise UserError(
            f"{path}: has {outputs} outputs for {len(files.config['classes'])} classes; delete it, "
            f"and `make train RUN={files.run.directory}` writes it anew"
        )
    return f"{path} opens, {outputs} outputs"


def _digest(path: str) -> str:
    try:
        return hashlib.sha256(read_content(path)).hexdigest()
    except ImageError:
        return ""


INSTALLATION = (versions, processor, disk, network, starter)
RUN = (config, pretrained, pictures, duplicates, balance, checkpoints, model)
