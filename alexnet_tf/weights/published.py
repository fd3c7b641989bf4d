"""Published pretrained weights: their URLs and how they are verified."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from alexnet_tf.errors import UserError
from alexnet_tf.system.download import DownloadError, Published, by_hand, forget
from alexnet_tf.variants import get_variant
from alexnet_tf.weights.loading import BVLC_FILES, WEIGHTS_FOLDER, read_weights_file
from alexnet_tf.weights.recognize import BVLC, CAFFENET


@dataclass(frozen=True)
class PublishedWeights(Published):
    """Published weights of `variant`, recognized by value as `content`: another checksum causes
    only a warning."""

    variant: str
    content: str

    def check(self, path: Path) -> None:
        """Raise UserError unless the layers (conv1 … conv5, and fc6 … fc8 if present) have the
        right shapes and conv1 the published values."""
        found = read_weights_file(path)
        found.check(get_variant(self.variant), classes=1000 if "fc8" in found.layers else None)
        if found.described() != self.content:
            raise UserError(
                f"{path}: has the right layers, but its conv1 is not that of {self.content}"
            )
        difference = self.difference(path)
        if difference:
            print(
                f"warning: {self.name} has the right layers and the right conv1, but its "
                f"{difference} as the published file's",
                file=sys.stderr,
            )


# From dated public sources, none tried when this was written: a mirror, the publisher, others.
OPENVINO = "https://storage.openvinotoolkit.org/repositories/open_model_zoo/public/2022.1"
CAFFE_ZOO = "http://dl.caffe.berkeleyvision.org"
ONNX_ZOO = (
    "https://huggingface.co/onnxmodelzoo/legacy_models/resolve/main/validated/vision/classification"
)

PRETRAINED = {
    file.name: file
    for file in (
        PublishedWeights(
            "bvlc_alexnet.npy",
            (
                "https://www.cs.toronto.edu/~guerzhoy/tf_alexnet/bvlc_alexnet.npy",
                "https://ndownloader.figshare.com/files/14299136",
            ),
            # Confirmed by an independent reproduction.
            "1294ef51496c52f2e4879ee3b5e1da22c35d61f3240937491b4469403d5428cc",
            variant="bvlc",
            content=BVLC,
        ),
        # For ONNX's model zoo only the first digits of the checksums are known.
        PublishedWeights(
            "bvlcalexnet-12.onnx",
            (f"{ONNX_ZOO}/alexnet/model/bvlcalexnet-12.onnx",),
            "6b0da951",  # 243,863,787 bytes
            variant="bvlc",
            content=BVLC,
        ),
        Published(
            "bvlc_alexnet.caffemodel",
            (
                f"{OPENVINO}/alexnet/bvlc_alexnet.caffemodel",
                f"{CAFFE_ZOO}/bvlc_alexnet.caffemodel",
                "https://nvidia.box.com/shared/static/5j264j7mky11q8emy4q14w3r8hl5v6zh.caffemodel",
            ),
            "4bff209a9837298157915ef50a4831a59636a6ca1a6b8ebacd990c3a5f3053e0",
        ),
        Published(
            "bvlc_reference_caffenet.caffemodel",
            (
                f"{OPENVINO}/caffenet/bvlc_reference_caffenet.caffemodel",
                f"{CAFFE_ZOO}/bvlc_reference_caffenet.caffemodel",
            ),
            "472d4a06035497b180636d8a82667129960371375bd10fcb6df5c6c7631f25e0",
        ),
        PublishedWeights(
            "caffenet-12.onnx",
            (f"{ONNX_ZOO}/caffenet/model/caffenet-12.onnx",),
            "ea563e5c",
            variant="caffenet",
            content=CAFFENET,
        ),
        # torchvision's file names contain the first digits of the SHA-256.
        Published(
            "alexnet-owt-7be5be79.pth",
            ("https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",),
            "7be5be79",
        ),
    )
}


def fetch_bvlc(mirror: str | None = None, places: Sequence[str] = ()) -> Path:
    """Return the path of BVLC AlexNet in weights/, in the format that is there or arrives first.
    `places` replace the publishers' URLs; a folder among them is tried for each format.
    Raises UserError if an existing file is not the published one, DownloadError if no format
    is available."""
    files = [PRETRAINED[name] for name in BVLC_FILES]
    for file in files:
        if (WEIGHTS_FOLDER / file.name).is_file():
            return file.fetch(WEIGHTS_FOLDER)  # verifies it
    tried = [(file, [f"{mirror}/"]) for file in files if mirror]
    for file in files:
        suitable = [place for place in places if _suits(place, file)]
        tried.append((file, suitable if places else [*file.urls]))
    reasons = []
    for file, sources in tried:
        if not sources:
            continue
        try:
            path = file.fetch(WEIGHTS_FOLDER, places=sources)
        except DownloadError as error:
            reasons.append(str(error.__cause__))
            continue
        for other in files:
            forget(WEIGHTS_FOLDER / other.name)  # its partial download is not needed any more
        return path
    raise DownloadError("\n".join([*reasons, by_hand(WEIGHTS_FOLDER, files)]))


def _suits(place: str, file: Published) -> bool:
    """Tell whether to try `place` for `file`: a folder is tried for every format; a file only for
    the format of its suffix, or else for the first."""
    if place.endswith("/") or Path(place).is_dir():
        return True
    suffix = PurePosixPath(urlsplit(place).path).suffix.lower()
    suffixes = [Path(name).suffix for name in BVLC_FILES]
    return Path(file.name).suffix == (suffix if suffix in suffixes else suffixes[0])
