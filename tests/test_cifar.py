"""CIFAR-10: folders that are split already, and the archive that its authors publish."""

import gzip
import io
import os
import pickle
import shutil
import struct
import subprocess
import sys
import tarfile
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from alexnet_tf.data.dataset import open_dataset
from alexnet_tf.data.sources import cifar
from alexnet_tf.data.sources.listing import UNPACKED_FOLDER
from alexnet_tf.errors import UserError
from tests.support.places import ROOT

FOLDER = "cifar-10-batches-py"
BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def batch(pixels, labels, dtype="u1"):
    """Make the bytes that Python 2's cPickle and NumPy 1 wrote, by protocol 2."""

    def string(value):
        return b"T" + struct.pack("<i", len(value)) + value

    def number(value):
        return b"J" + struct.pack("<i", value)

    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + number(0) + b"\x85"
        + string(b"b") + b"\x87R(" + number(1) + number(len(pixels)) + number(pixels.shape[1])
        + b"\x86cnumpy\ndtype\n" + string(dtype.encode()) + number(0) + number(1) + b"\x87R("
        + number(3) + string(b"|") + b"NNN" + number(-1) * 2 + number(0) + b"tb\x89"
        + string(pixels.tobytes()) + b"tb"
    )  # fmt: skip
    names = b"](" + b"".join(string(b"camel_s_%06i.png" % label) for label in labels) + b"e"
    return (
        b"\x80\x02}(" + string(b"batch_label") + string(b"training batch 1 of 5")
        + string(b"labels") + b"](" + b"".join(map(number, labels)) + b"e"
        + string(b"data") + array + string(b"filenames") + names + b"u."
    )  # fmt: skip


def pictures(seed, count=20):
    """Make `count` pictures of 3,072 random numbers, and labels of which each occurs."""
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (count, 3072), np.uint8), [i % 10 for i in range(count)]


def batches():
    return {name: batch(*pictures(seed)) for seed, name in enumerate(BATCHES)}


def write(path, members):
    """Write a tar.gz of name → bytes or TarInfo and, as the authors' has them, a page and the names
    of the classes."""
    everything = {f"{FOLDER}/readme.html": b"a page", f"{FOLDER}/batches.meta": b"(dp1\n."}
    everything |= {f"{FOLDER}/{name}": content for name, content in members.items()}
    with tarfile.open(path, "w:gz") as file:
        for name, content in everything.items():
            if isinstance(content, tarfile.TarInfo):
                file.addfile(content)
            else:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                file.addfile(member, io.BytesIO(content))
    return path


def test_the_archive_is_unpacked_once_into_its_own_split(here):
    archive = write(here / "cifar-10-python.tar.gz", batches())
    dataset = open_dataset(archive)
    assert dataset.classes == CLASSES and not dataset.rejected
    assert [len(pictures) for pictures in (dataset.train, dataset.validation)] == [100, 20]
    (folder,) = UNPACKED_FOLDER.iterdir()
    pixels, _ = pictures(seed=1)  # data_batch_2
    shown = np.asarray(Image.open(folder / "train/bird/10012.png"))
    assert np.array_equal(shown, pixels[12].reshape(3, 32, 32).transpose(1, 2, 0))
    tested = [str(folder / f"test/{CLASSES[n % 10]}/{n:05}.png") for n in range(20)]
    assert sorted(picture.path for picture in dataset.validation) == sorted(tested)

    times = {path: path.stat().st_mtime_ns for path in UNPACKED_FOLDER.rglob("*.png")}
    assert open_dataset(archive) == dataset
    assert times == {path: path.stat().st_mtime_ns for path in UNPACKED_FOLDER.rglob("*.png")}


def test_python_3_may_have_pickled_it(here):
    members = {}
    for protocol, name in zip((2, 3, 4, 5, 2, 4), BATCHES):
        pixels, labels = pictures(protocol)
        members[name] = pickle.dumps({b"data": pixels, b"labels": labels}, min(protocol, 4))
    dataset = open_dataset(write(here / "cifar.tgz", members))
    assert len(dataset.validation) == 20


def test_the_folder_of_the_batches_is_the_same_as_the_archive(here):
    archive = write(here / "cifar.tgz", batches())
    with tarfile.open(archive) as file:
        file.extractall(here, filter="data")
    folder, packed = open_dataset(here / FOLDER), open_dataset(archive)
    assert folder.classes == packed.classes == CLASSES
    assert [each.digest for each in folder.train] == [each.digest for each in packed.train]
    assert [each.label for each in folder.validation] == [each.label for each in packed.validation]


def test_cifar_100_has_its_hundred_fine_classes(here):
    folder = here / "cifar-100-python"
    folder.mkdir()
    (folder / "meta").write_bytes(b"(dp1\n.")
    for number, name in enumerate(("train", "test")):
        pixels, _ = pictures(number, count=200)
        labels = {"fine_labels": [*range(100)] * 2, "coarse_labels": [0] * 200}
        (folder / name).write_bytes(pickle.dumps({"data": pixels} | labels, 2))
    with tarfile.open(here / "cifar-100-python.tar.gz", "w:gz") as file:
        file.add(folder, folder.name)
    for source in (here / "cifar-100-python.tar.gz", folder):
        dataset = open_dataset(source)
        assert len(dataset.classes) == 100 and list(dataset.classes) == sorted(dataset.classes)
        assert (dataset.classes[1], dataset.classes[99]) == ("aquarium_fish", "worm")
        assert [len(dataset.train), len(dataset.validation)] == [200, 200]


def test_files_called_train_and_test_or_a_cifar_beside_them_do_not_hide_classes(here):
    for name in ("rose", "tulip"):
        (here / "mine" / name).mkdir(parents=True)
        for number in range(4):
            pixels = np.random.default_rng(number).integers(0, 256, (9, 9, 3), np.uint8)
            Image.fromarray(pixels + len(name)).save(here / "mine" / name / f"{number}.png")
    for name in ("train", "test"):
        (here / "mine" / name).write_text("no list, and no batch\n")
    folder = here / "mine" / FOLDER
    folder.mkdir()
    for name, content in batches().items():
        (folder / name).write_bytes(content)
    assert open_dataset(here / "mine").classes == ("rose", "tulip")


class Runs:
    """Is unpickled by running `command`."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def link(kind):
    member = tarfile.TarInfo(f"{FOLDER}/data_batch_3")
    member.type, member.linkname = kind, "/etc/passwd"
    return member


PIXELS, LABELS = pictures(0)
HOSTILE = {
    "code": (pickle.dumps(Runs("touch owned")), "refused, for it asks to run 'posix.system'"),
    "shape": (batch(PIXELS[:, :-1], LABELS), r"shape \(20, 3071\) and 20 labels, where a row of 3"),
    "labels": (batch(PIXELS, LABELS[:-1]), r"shape \(20, 3072\) and 19 labels"),
    "eleven classes": (batch(PIXELS, [*LABELS[:-1], 10]), "no whole number from 0 to 9"),
    "negative": (batch(PIXELS, [*LABELS[:-1], -1]), "no whole number from 0 to 9"),
    "objects": (batch(PIXELS, LABELS, "O"), "an array of type 'O', where u1 is expected"),
    "list": (pickle.dumps([1, 2]), "no dict of data and labels"),
    "bomb": (b"\x80\x02" + b"(" * (1 << 20), "holds more than pictures and labels"),
    "cut pickle": (batch(PIXELS, LABELS)[:5000], "is damaged"),
    "link": (link(tarfile.SYMTYPE), "is no file of at most 33,554,432 bytes"),
    "hard link": (link(tarfile.LNKTYPE), "is no file of at most"),
    "device": (link(tarfile.CHRTYPE), "is no file of at most"),
    "size": (bytes((32 << 20) + 1), "is no file of at most"),
}


@pytest.mark.parametrize(("content", "message"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_batch_is_refused(here, content, message):
    archive = write(here / "cifar.tar.gz", batches() | {"data_batch_3": content})
    with pytest.raises(UserError, match=message) as error:
        open_dataset(archive)
    assert str(error.value).startswith(f"{archive}") and "\n" not in str(error.value)
    assert not (here / "owned").exists() and os.listdir(UNPACKED_FOLDER) == []


def test_another_archive_is_refused_by_the_name_of_what_is_missing(here):
    members = batches()
    del members["test_batch"]
    with pytest.raises(UserError, match=f"has no {FOLDER}/test_batch, so it is not CIFAR-10's"):
        open_dataset(write(here / "cifar.tar.gz", members))


def test_a_name_that_leads_out_of_its_folder_is_not_followed(here):
    with tarfile.open(here / "twice.tar.gz", "w:gz") as file:
        for _ in range(2):
            file.addfile(tarfile.TarInfo(f"{FOLDER}/../{FOLDER}/data_batch_1"))
    with pytest.raises(UserError, match=f"has no {FOLDER}/data_batch_1"):
        open_dataset("twice.tar.gz")


def test_a_batch_that_is_there_twice_is_refused(here):
    content = gzip.decompress(write(here / "a.tgz", batches()).read_bytes())
    end = content.index(f"{FOLDER}/test_batch".encode())
    (here / "twice.tgz").write_bytes(gzip.compress(content[:end] + content))
    with pytest.raises(UserError, match="data_batch_1: is there more than once"):
        open_dataset("twice.tgz")


@pytest.mark.parametrize("kept", [0.5, 0.999])
def test_a_broken_download_is_refused_and_leaves_nothing(here, kept):
    archive = write(here / "cifar.tar.gz", batches())
    content = archive.read_bytes()
    archive.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(UserError, match="is not a whole"):
        open_dataset(archive)
    assert os.listdir(UNPACKED_FOLDER) == []


def test_another_checksum_than_gzips_is_an_error(here):
    archive = write(here / "cifar.tar.gz", batches())
    content = archive.read_bytes()
    archive.write_bytes(content[:-8] + b"\0\0\0\0" + content[-4:])
    with pytest.raises(UserError, match="CRC check failed"):
        open_dataset(archive)


def test_a_file_that_is_no_gzip_is_an_error(here):
    (here / "cifar.tar.gz").write_bytes(b"no gzip")
    with pytest.raises(UserError, match="is not a whole"):
        open_dataset("cifar.tar.gz")


@pytest.mark.parametrize("size", [1 << 40, -512])
def test_headers_may_promise_anything(here, size):
    member = tarfile.TarInfo(f"{FOLDER}/x")
    member.size = size
    (here / "x.tgz").write_bytes(gzip.compress(member.tobuf(tarfile.GNU_FORMAT)))
    with pytest.raises(UserError, match=r"(unpacks to more than 268,435,456 bytes|is not a whole)"):
        open_dataset("x.tgz")


def test_zeros_without_end_take_little_memory(here):
    zeros = tarfile.TarInfo(f"{FOLDER}/zeros")
    zeros.size = 1 << 28
    with gzip.open(here / "zeros.tgz", "wb", compresslevel=1) as file:
        file.write(zeros.tobuf())
        for _ in range(300):
            file.write(bytes(1 << 20))
    tracemalloc.start()
    with pytest.raises(UserError, match="unpacks to more than"):
        open_dataset("zeros.tgz")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_unpacking_that_was_interrupted_begins_anew(here, monkeypatch):
    archive = write(here / "cifar.tar.gz", batches())
    program = (
        "import os; from PIL import Image; from alexnet_tf.data.sources.open import open_source\n"
        "Image.fromarray = lambda picture: os._exit(9)\n"
        "open_source('cifar.tar.gz')"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 9
    assert all(name.startswith(".cifar-10-") for name in os.listdir(UNPACKED_FOLDER))
    assert len(open_dataset(archive).train) == 100
    assert [name.startswith("cifar-10-") for name in os.listdir(UNPACKED_FOLDER)] == [True]


def test_the_published_archive_is_known():
    assert cifar.CIFAR10.name == "cifar-10-python.tar.gz" and len(cifar.CIFAR10.sha256) == 64
    assert cifar.unpack_cifar(ROOT / "README.md", UNPACKED_FOLDER) is None


def test_cifar_as_pictures_is_split_already(material, here):
    """Fifteen of each class to train with and five to validate with stand for 6,000."""
    for part, count in (("train", 15), ("test", 5)):
        for name in CLASSES:
            (here / part / name).mkdir(parents=True)
            for path in sorted((material / "data/cifar10" / part / name).iterdir())[:count]:
                shutil.copy(path, here / part / name)
    dataset = open_dataset(here)
    assert dataset.classes == CLASSES and not dataset.rejected
    assert [len(pictures) for pictures in (dataset.train, dataset.validation)] == [150, 50]
    assert all(one.path.startswith(f"{here}/test/") for one in dataset.validation)
