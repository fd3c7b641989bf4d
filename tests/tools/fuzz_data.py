"""Damaged pictures, lists and tars, and odd folders, all that a training opens them for."""

from __future__ import annotations

import io
import os
import random
import shutil
import tarfile
from pathlib import Path

from PIL import Image, features

from alexnet_tf.data.dataset import open_dataset, write_lists
from alexnet_tf.data.images.contents import ImageError
from alexnet_tf.data.images.file_types import FORMATS
from alexnet_tf.data.images.preprocessing import load_image
from alexnet_tf.data.sources.listing import find_pictures
from alexnet_tf.errors import UserError
from tests.tools.fuzz import damaged

# Pictures within all limits take up to 2 GB.
MEMORY = 3 << 30
GOOD, INPUTS = ("well", "refused"), 20_000
SIDES = (24, 16)
# Names of folders and files in the trees.
FOLDERS = (
    "train", "Train", "training_set", "seg_train", "trainset", "val", "valid", "dev", "test",
    "Testing", "test1", "pred", "cats", "dogs", "aster", "tulip", "a.jpg", "images", "archive",
    "__MACOSX", "$RECYCLE.BIN", ".hidden", "logs", "data", "unpacked",
)  # fmt: skip
FILES = (
    "0.png", "1.png", "2.jpg", "a", "b.txt", "cat.0.jpg", "dog.1.jpg", "cat.2.jpg", "._0.png",
    ".DS_Store", "Thumbs.db", "classes.txt", "train.txt", "val.txt", "test.txt", "labels.csv",
    "sample_submission.csv", "config.json", "recipe.json",
)  # fmt: skip
LISTS = (
    "0.png 0\n1.png 1\n", "cats/0.png cat\r\ndogs/1.png dog\r\n", "filename,label\n0,cat\n1,dog\n",
    "\ufeffid;breed\n0;a\n1;b\n", "a,b,c\n1,2,3\n", "0.png\n", '"', "\0", "train/0.png\t00\n", "",
)  # fmt: skip


def samples(folder: Path) -> dict[str, bytes]:
    """Make a small file of each kind, by name; the picture ``0.png`` is what lists name."""
    import sklearn.model_selection  # noqa: F401  takes a second, which is no input's

    os.chdir(folder)
    made = {"list.txt": b"a/0.png 0\nb/0.png 1\na/1.png 0\nb/1.png 1\n"}
    made["list.csv"] = b'id,"breed",split\n0.png,cat,train\n1.png,dog,val\n2.png,cat,test\n'
    for name in FORMATS:
        if (name == "AVIF" and not features.check("avif")) or (name == "HEIF" and not _heif()):
            continue
        content = io.BytesIO()
        Image.effect_noise(SIDES, 50).convert("RGB").save(content, name)
        made[f"a.{name.lower()}"] = content.getvalue()
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as file:
        for name in ("a/0.png", "a/1.png", "b/0.png", "b/1.png"):
            member = tarfile.TarInfo(name)
            member.size = len(made["a.png"])
            file.addfile(member, io.BytesIO(made["a.png"]))
    return made | {"a.tar": content.getvalue(), "tree": b""}


def _heif() -> bool:
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True


def mutant(originals: dict[str, bytes], seed: int, number: int) -> tuple[str, bytes]:
    """Make name and content of the input `number` of the series `seed`; a tree is its own seed."""
    chance = random.Random(f"{seed} {number}")
    name = sorted(originals)[number % len(originals)]
    if name == "tree":
        return name, f"{seed} {number}".encode()
    return name, damaged(originals[name], originals[chance.choice(sorted(originals))], chance)


def trial(folder: Path, originals: dict[str, bytes], name: str, content: bytes) -> str:
    """Tell how reading a file of that name and content ends: by one of `GOOD`."""
    place = folder / "place"
    shutil.rmtree(place, ignore_errors=True)
    shutil.rmtree(folder / "data", ignore_errors=True)
    place.mkdir()
    if name == "tree":
        _grow(place, random.Random(content), originals)
        return _outcome(lambda: _open(place))
    for each in ("a/0.png", "a/1.png", "b/0.png", "b/1.png", "0.png", "1.png", "2.png"):
        (place / each).parent.mkdir(exist_ok=True)
        (place / each).write_bytes(originals["a.png"] + each.encode())
    (place / name).write_bytes(content)
    if name in ("list.txt", "list.csv", "a.tar"):
        return _outcome(lambda: _open(place / name))
    return _outcome(lambda: load_image(place / name))


def _open(source: Path) -> None:
    """Open a source, and as a second start would, the lists that come of it."""
    find_pictures([str(source)])
    dataset = open_dataset(source)
    write_lists(dataset, source.parent / "lists")
    again = open_dataset(source.parent / "lists")
    assert again.fingerprint() == dataset.fingerprint(), "another split the second time"
    assert not {p.digest for p in again.train} & {p.digest for p in again.validation}
    assert not {p.digest for p in again.test} & {p.digest for p in again.train + again.validation}


def _grow(folder: Path, chance: random.Random, originals: dict[str, bytes], depth: int = 0) -> None:
    """Fill `folder` with files, links and folders drawn by `chance`, some of them alike."""
    for name in chance.sample(FILES, chance.choice((0, 1, 2, 4))):
        path = folder / name
        kind = chance.random()
        if name.endswith((".txt", ".csv")) or kind < 0.1:
            path.write_text(chance.choice(LISTS), encoding="utf-8")
        elif kind < 0.15:
            path.symlink_to(chance.choice(("nowhere", "..", "/dev/zero", ".")))
        elif kind < 0.2:
            os.mkfifo(path)
        else:
            color = chance.randrange(256), chance.randrange(256), 0
            Image.new("RGB", (4, 4), color).save(path, chance.choice(("PNG", "BMP", "GIF")))
    if depth < 3:
        names = chance.sample(FOLDERS, chance.choice((0, 2, 2, 3)))
        seed = chance.random()
        for name in names:
            (folder / name).mkdir(exist_ok=True)
            # Parts of one data set have the same folders.
            alike = random.Random(seed) if chance.random() < 0.7 else chance
            _grow(folder / name, alike, originals, depth + 1)


def _outcome(act) -> str:
    try:
        act()
    except UserError as error:
        cause = error.__cause__
        if (
            isinstance(cause, MemoryError)
            or not str(error)
            or (isinstance(error, ImageError) and "\n" in str(error))
        ):
            return f"{error!r} of {cause!r}"
        return "refused"
    except Exception as error:
        return f"{error!r}"
    return "well"
