"""The files that others publish: where they are, and how each is known to be the right one."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from alexnet_tf.data.cifar import CIFAR10_ARCHIVE
from alexnet_tf.data.sources import MICROSOFT_ZIP
from alexnet_tf.errors import UserError
from alexnet_tf.system.download import DownloadError, download
from alexnet_tf.variants import get_variant
from alexnet_tf.weights.loading import check_weights, read_weights
from alexnet_tf.weights.recognize import BVLC, recognize

WEIGHTS = Path("weights")

BY_HAND = """\
By hand: download it with a browser from
  {urls}
save it as {path} and type the same command again; or name a place that has it, by
--from PATH_OR_URL or --mirror DIR_OR_URL (FROM=… or MIRROR=… with make)."""


@dataclass(frozen=True)
class Published:
    """A file, the URLs that have it, and its `algorithm` checksum in hex or the beginning of that.

    Where a `variant` is named the checksum is hearsay: a difference is only worth a warning, and
    what decides is whether the file holds the layers of that variant and BVLC's conv1.
    """

    name: str
    urls: tuple[str, ...]
    algorithm: str
    checksum: str
    variant: str | None = None

    def fetch(self, folder: Path, mirror: str | None = None, places: Sequence[str] = ()) -> Path:
        """The path of the file in `folder`, which is checked, and fetched where it is missing.

        Asked are `mirror`, a folder's path or URL, and then `places` (paths or URLs) or, without
        any, the published URLs. Raises UserError when a file is there already, but is another, and
        DownloadError when none can be had.
        """
        path = folder / self.name
        if path.is_file():
            try:
                self.check(path)
            except UserError as error:
                raise UserError(f"{error}; delete it to have it fetched again") from error
        else:
            mirrors = [f"{mirror}/"] if mirror else []
            try:
                download(path, [*mirrors, *(places or self.urls)], self.check)
            except DownloadError as error:
                by_hand = BY_HAND.format(urls="\n  ".join(self.urls), path=path)
                raise DownloadError(f"{error}\n{by_hand}") from error
        return path

    def check(self, path: Path) -> None:
        """Raises UserError when the file `path` is not the published one."""
        if self.variant:
            _check_layers(path, self.variant)
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, self.algorithm).hexdigest()
        if not found.startswith(self.checksum):
            message = f"{self.algorithm.upper()} is {found}, not {self.checksum}"
            if not self.variant:
                raise UserError(f"{path}: is not the published file, for its {message}")
            print(
                f"warning: {self.name} has the right layers, but its {message}, which is said, "
                "without proof, to be the published file's",
                file=sys.stderr,
            )


def _check_layers(path: Path, variant: str) -> None:
    """UserError unless conv1 … conv5, and fc6 … fc8 if there, have the right shapes, and conv1 the
    published values."""
    weights = read_weights(path)
    check_weights(weights, get_variant(variant), path, classes=1000 if "fc8" in weights else None)
    if recognize(weights, path).name != BVLC:
        raise UserError(f"{path}: has the right layers, but its conv1 is not that of {BVLC}")


CAFFE_ZOO = "http://dl.caffe.berkeleyvision.org"

PRETRAINED = {
    file.name: file
    for file in (
        Published(
            "bvlc_alexnet.npy",
            ("http://www.cs.toronto.edu/~guerzhoy/tf_alexnet/bvlc_alexnet.npy",),
            "sha256",
            "1294ef51496c52f2e4879ee3b5e1da22c35d61f3240937491b4469403d5428cc",
            variant="bvlc",
        ),
        Published(
            "bvlc_alexnet.caffemodel",
            (
                f"{CAFFE_ZOO}/bvlc_alexnet.caffemodel",
                "https://nvidia.box.com/shared/static/5j264j7mky11q8emy4q14w3r8hl5v6zh.caffemodel",
            ),
            "sha1",
            "9116a64c0fbe4459d18f4bb6b56d647b63920377",
        ),
        Published(
            "bvlc_reference_caffenet.caffemodel",
            (f"{CAFFE_ZOO}/bvlc_reference_caffenet.caffemodel",),
            "sha1",
            "4c8d77deb20ea792f84eb5e6d0a11ca0a8660a46",
        ),
        # torchvision puts the beginning of the SHA-256 into the name.
        Published(
            "alexnet-owt-7be5be79.pth",
            ("https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",),
            "sha256",
            "7be5be79",
        ),
    )
}

PHOTOS = Published(
    MICROSOFT_ZIP,
    (
        "https://download.microsoft.com/download/3/E/1/3E1C3F21-ECDB-4869-8368-6DEBA77B919F/"
        + MICROSOFT_ZIP,
    ),
    "sha256",
    "b7974bd00a84a99921f36ee4403f089853777b5ae8d151c76a86e64900334af9",
)

# The checksum that keras.datasets.cifar10 has.
CIFAR10 = Published(
    CIFAR10_ARCHIVE,
    (f"https://www.cs.toronto.edu/~kriz/{CIFAR10_ARCHIVE}",),
    "sha256",
    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
)
