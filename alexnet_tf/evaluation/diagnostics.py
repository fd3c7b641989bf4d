"""Diagnostic checks of the installation, the network's numbers and a run.

A check is a function that returns its finding, or raises UserError with the problem and its remedy.
"""

import platform
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from alexnet_tf.data.dataset import Dataset
from alexnet_tf.errors import UserError
from alexnet_tf.inference.engine import Engine
from alexnet_tf.runs.checkpoint_spec import CheckpointSpec
from alexnet_tf.runs.checkpoints import BrokenCheckpoint, list_checkpoints, load_checkpoint
from alexnet_tf.runs.pictures import listed_pictures
from alexnet_tf.runs.run import STARTER_RUN, Run, open_file, starting_weights
from alexnet_tf.runs.settings import Settings
from alexnet_tf.runs.warnings import imbalance
from alexnet_tf.system.processor import VARIABLE, chosen_precision, processor_flags
from alexnet_tf.system.program import command, installing
from alexnet_tf.system.quiet import import_tensorflow
from alexnet_tf.variants import get_variant
from alexnet_tf.weights import fingerprint
from alexnet_tf.weights.formats import choose_reader
from alexnet_tf.weights.loading import WEIGHTS_FOLDER, open_weights, read_weights_file
from alexnet_tf.weights.recognize import BVLC, CAFFENET, TORCHVISION, recognize

# Flags of /proc/cpuinfo by which TensorFlow's kernels choose their code when first called.
FEATURES = ("avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16")
# Four checkpoints of 650 MB, for fc6 and fc7 of BVLC's size, the fourth being written; model.keras
# and model.tflite of 230 MB each; 100 kB of features for each of 25,000 pictures.
ROOM = 6 << 30
# Networks for which reference predictions have been published.
KNOWN = (BVLC, CAFFENET, TORCHVISION)


@dataclass(frozen=True)
class Finding:
    """The result of the check `name`."""

    name: str
    is_well: bool
    text: str


class RunFiles:
    """A run and its files, each read once."""

    def __init__(self, run: Run):
        self.run = run

    @cached_property
    def config(self) -> dict[str, Any]:
        """Read config.json. Raises UserError if it is unreadable."""
        return self.run.read_config()

    @cached_property
    def settings(self) -> Settings:
        """Return the run's settings."""
        return Settings(**self.config["settings"])

    @cached_property
    def dataset(self) -> Dataset:
        """List the run's pictures; the digest of an unreadable one is ""."""
        return listed_pictures(self.run)


def examine(run: Run | None) -> Iterator[Finding]:
    """Yield a finding for each check of the installation and, if given, of the `run`."""
    yield from map(_finding, INSTALLATION)
    if run is None:
        yield _finding(weights)
    else:
        files = RunFiles(run)
        for check in RUN:
            yield _finding(check, files)


def _finding(check: Callable[..., str], *arguments: Any) -> Finding:
    try:
        return Finding(check.__name__, True, check(*arguments))
    except UserError as error:
        text = str(error)
    except Exception as error:  # from damaged files; the other checks go on
        text = f"the check failed ({error!r}); are these the files of a run?"
    return Finding(check.__name__, False, " ".join(text.split()))


def versions() -> str:
    """Compare the versions of Python and the packages with the requirements of alexnet_tf."""
    from packaging.requirements import Requirement  # installed with TensorFlow

    try:
        needed = [Requirement(line) for line in metadata.requires("alexnet_tf") or ()]
        found = {
            needs.name: metadata.version(needs.name)
            for needs in needed
            if needs.marker is None or needs.marker.evaluate({"extra": ""})
        }
    except metadata.PackageNotFoundError as error:
        raise UserError(
            f"{error.name} is not installed; `{installing(error.name)}` installs it"
        ) from error
    for needs in needed:
        if needs.name in found and found[needs.name] not in needs.specifier:
            raise UserError(
                f"{needs.name} is {found[needs.name]}, not {needs.specifier}; "
                f"`{installing(str(needs))}` installs the right one"
            )
    return f"python {platform.python_version()}, " + ", ".join(
        f"{name} {version}" for name, version in found.items()
    )


def processor() -> str:
    """Return the processor's relevant features, where Linux lists them."""
    flags = processor_flags()
    if not flags:
        return f"{platform.machine()}, its features are not listed here"
    if "avx" not in flags:
        raise UserError("lacks AVX, which TensorFlow's packages need; take another machine")
    used = [feature for feature in FEATURES if feature in flags]
    return ", ".join((platform.machine(), *used))


def engines() -> str:
    """Time the engines that can compute frozen convolutions, unless one is configured."""
    chosen = chosen_precision()
    if chosen:
        return f"{chosen}, as {VARIABLE} says"
    import_tensorflow()
    from alexnet_tf.frozen.choice import in_words, pictures_a_second

    return in_words(pictures_a_second())


def network() -> str:
    """Compare the network's outputs with reference values."""
    import_tensorflow()
    from alexnet_tf.evaluation.golden import TOLERANCE, golden_error

    error = golden_error()
    if not error <= TOLERANCE:  # written so that NaN is caught too
        raise UserError(
            f"its numbers differ by {error:.1e} of the largest; install the versions of "
            "constraints.txt in the project (there `make setup LOCKED=1`), or try another machine"
        )
    return f"correct to {error:.0e} of the largest number"


def disk() -> str:
    """Check the free space in the working directory."""
    free = shutil.disk_usage(".").free
    if free < ROOM:
        raise UserError(
            f"{free / 1e9:.1f} GB are free here, and a training on 25,000 photos takes "
            f"{ROOM / 1e9:.1f} GB; make room"
        )
    return f"{free / 1e9:.0f} GB free"


def weights() -> str:
    """Identify every weight file in weights/."""
    paths = [path for path in sorted(WEIGHTS_FOLDER.glob("[!.]*")) if _holds_weights(path)]
    if not paths:
        return f"none in {WEIGHTS_FOLDER}/, so the starter's; `{command('weights')}` fetches some"
    files = [read_weights_file(path) for path in paths]
    found = ", ".join(f"{file.path}: {file.described()}" for file in files)
    if any("fc8" in file.layers and file.recognized().name in KNOWN for file in files):
        found += "; docs/weights.md has pictures to try all eight layers on, with their classes"
    return found


def starter() -> str:
    """Load the starter network that comes with the program."""
    found, path = STARTER_RUN.read_config(), STARTER_RUN.model_path
    open_weights(path, get_variant(found["settings"]["variant"]), len(found["classes"]))
    return f"{path.name} is whole, its classes are {' and '.join(found['classes'])}"


def config(files: RunFiles) -> str:
    """Read the variant, settings and classes in config.json."""
    classes, path = files.config["classes"], files.run.config_path
    if classes != list(files.dataset.classes):
        raise UserError(f"{path}: its classes are not those of classes.txt; put both back")
    return f"{files.settings.variant}, {len(classes)} classes"


def pretrained(files: RunFiles) -> str:
    """Compare the pretrained weights with those that the run started from."""
    settings = files.settings
    found = starting_weights(settings, settings.chosen_variant())
    if fingerprint(found) != files.config["weights"]:
        raise UserError(
            f"{settings.weights}: is not what the run was started with; put that back to go on"
        )
    if not found:
        return "none, all layers began at random"
    if Path(settings.weights).is_dir():  # a run
        return f"{settings.weights}: {recognize(found).name}"
    file = replace(open_file(settings), layers=found)
    return f"{settings.weights}: {file.recognized().name}"


def pictures(files: RunFiles) -> str:
    """Compare the pictures in the lists with those at the start."""
    dataset = files.dataset
    listed = (*dataset.labelled(),)
    gone = [picture.path for picture in listed if not picture.digest]
    if gone:
        raise UserError(
            f"{len(gone)} of {len(listed)} cannot be read, the first is {gone[0]}; ask from the "
            "folder in which you trained, or put them back"
        )
    if dataset.fingerprint() != files.config["data"]:
        raise UserError(
            f"{files.run.directory}: its lists or pictures have changed since the start; put them "
            "back to go on, or start another run"
        )
    if dataset.is_cross_validated:
        return f"{len(listed)}, cross-validated"
    return f"{len(dataset.train)} to train with, {len(dataset.validation)} to validate with"


def duplicates(files: RunFiles) -> str:
    """Find pictures that are on both sides of the split, byte for byte."""
    if files.dataset.is_cross_validated:
        return "none across parts, which copies are all in one of"
    train = {picture.digest for picture in files.dataset.train if picture.digest}
    both = [picture.path for picture in files.dataset.validation if picture.digest in train]
    if both:
        raise UserError(
            f"{len(both)} pictures are trained on and validated with, the first is {both[0]}: "
            "val_accuracy is too high; start another run, which keeps copies on one side"
        )
    return "none across the split"


def balance(files: RunFiles) -> str:
    """Count the training pictures of each class."""
    unequal = imbalance(files.dataset)
    if unequal:
        raise UserError(unequal)
    counts = Counter(picture.label for picture in files.dataset.train)
    sizes = [counts[index] for index in range(len(files.dataset.classes))]
    return f"{min(sizes, default=0)} to {max(sizes, default=0)} pictures of a class"


def checkpoints(files: RunFiles) -> str:
    """Read every checkpoint completely, and compare it with the run's settings."""
    paths = list_checkpoints(files.run.checkpoints_folder)
    if not paths:
        raise UserError(f"there are none; `{command('train', files.run.directory)}` makes some")
    settings, classes = files.settings, files.config["classes"]
    data, weights = files.config["data"], files.config["weights"]
    expected = CheckpointSpec(settings, classes, len(files.dataset.train), data, weights)
    for path in paths:
        try:
            load_checkpoint(path, expected)
        except BrokenCheckpoint as error:
            raise UserError(
                f"{error}; `{command('train', files.run.directory)}` sets it aside and goes on "
                "after the one before it"
            ) from error
    return f"{len(paths)} readable, the last is {paths[-1].name}"


def model(files: RunFiles) -> str:
    """Load model.keras and compare it with config.json."""
    path = files.run.model_path
    if not path.is_file():
        raise UserError(
            f"{path}: is not there; `{command('train', files.run.directory)}` ends with it"
        )
    engine = Engine.of_run(files.run)
    _ = engine.weights
    return f"{path} opens, {len(engine.classes)} outputs"


def _holds_weights(path: Path) -> bool:
    """Check whether `path` looks like a weight file, even a damaged one."""
    try:
        return path.is_file() and choose_reader(path) is not None
    except Exception:  # broken content can raise nearly any exception
        return True


INSTALLATION = (versions, processor, engines, disk, network, starter)
RUN = (config, pretrained, pictures, duplicates, balance, checkpoints, model)
