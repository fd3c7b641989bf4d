"""The network of a fresh clone, which knows cats from dogs, and whose convolutions, which learned
from ImageNet's, are a start for other pictures: README.md here is its card.

This folder is that of a finished run, with weights of 8 bits in place of model.keras.
"""

from pathlib import Path

from alexnet_tf.system.files import read_json
from alexnet_tf.system.program import command

# What it is called on command lines, in place of a file of weights or of a run, and its variant.
NAME, VARIANT = "starter", "distilled"
FOLDER = Path(__file__).parent
WEIGHTS_PATH = FOLDER / "starter.npz"
# The first starter, of the variant "starter", which learned from cats and dogs alone: runs that
# began with it go on.
FIRST_WEIGHTS_PATH = FOLDER / "cats_and_dogs.npz"
FIGURES_PATH = FOLDER / "figures.json"


def is_starter(name: str | Path) -> bool:
    """Tell whether `name` means the starter, and not a file or folder here that is called so."""
    return str(name) == NAME and not Path(name).exists()


def weights_path(name: str | Path, variant: str = VARIANT) -> Path:
    """Return the path of the file of weights that `name` means for a `variant`."""
    if not is_starter(name):
        return Path(name)
    return FIRST_WEIGHTS_PATH if variant == NAME else WEIGHTS_PATH


def variant_of(weights: str | Path, otherwise: str) -> str:
    """Return the name of the variant that `weights` imply: the starter's own, or `otherwise`."""
    return VARIANT if is_starter(weights) else otherwise


def in_place_of(weights: str) -> str:
    """Warn of a training that begins with the starter because the file `weights` is missing."""
    return (
        f"warning: there is no {weights}, so this begins with the starter's convolutions. "
        "ImageNet's, from which these learned, are larger and tell pictures apart better "
        f"(docs/accuracy.md): `{command('weights')}` fetches them, for another --run"
    )


def warning() -> str:
    """Describe the starter, which predicts if there is no run."""
    accuracy = read_json(FIGURES_PATH)["originals"]["accuracy"]
    return (
        "there is no finished run, so the starter is used, which knows only cats and dogs "
        f"(accuracy {accuracy:.0%} on held-out photos). `{command('train')} --data PICTURES` "
        "trains a network on your own pictures"
    )
