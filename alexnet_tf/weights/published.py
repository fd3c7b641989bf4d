"""The pretrained weights that others publish."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from alexnet_tf.errors import UserError
from alexnet_tf.system.download import Published
from alexnet_tf.variants import get_variant
from alexnet_tf.weights.loading import read_weights_file
from alexnet_tf.weights.recognize import BVLC

WEIGHTS_FOLDER = Path("weights")


@dataclass(frozen=True)
class PublishedWeights(Published):
    """Weights of a `variant` whose checksum is hearsay: a difference is only worth a warning.

    What decides is whether the file holds the layers of that variant and BVLC's conv1.
    """

    variant: str

    def check(self, path: Path) -> None:
        """Raise UserError unless conv1 … conv5, and fc6 … fc8 if there, have the right shapes, and
        conv1 the published values."""
        found = read_weights_file(path)
        found.check(get_variant(self.variant), classes=1000 if "fc8" in found.layers else None)
        if found.recognized().name != BVLC:
            raise UserError(f"{path}: has the right layers, but its conv1 is not that of {BVLC}")
        difference = self.difference(path)
        if difference:
            print(
                f"warning: {self.name} has the right layers, but its {difference}, which is said, "
                "without proof, to be the published file's",
                file=sys.stderr,
            )


CAFFE_ZOO = "http://dl.caffe.berkeleyvision.org"

PRETRAINED = {
    file.name: file
    for file in (
        PublishedWeights(
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
