"""Layouts of data, drawn with what they mean: parts × spellings × folders, tables, lists."""

from __future__ import annotations

import csv
import io
import os
import random
import shutil
import tarfile
from pathlib import Path
from unicodedata import normalize

import h5py
import numpy as np

from alexnet_tf.data.sources.manifest import TEST, TRAIN, VALIDATION
from alexnet_tf.data.sources.open import open_source
from alexnet_tf.errors import UserError
from tests.support.published import READ, Layout

MEMORY = 1 << 30
GOOD, INPUTS = ("as meant", "asked"), 5_000
KINDS = ("folders", "tables", "lists", "several tables", "published", "packed")
SPELLINGS = {
    TRAIN: ("train", "training", "trainset", "traindata", "trn"),
    VALIDATION: ("val", "valid", "validation", "validset", "dev"),
    TEST: ("test", "testing", "testset", "tst"),
}
# How people write such a word, alone or in a longer name.
SHAPES = (
    str, str.upper, str.capitalize, "my_{}".format, "{}_images".format, "{}2017".format,
    "{}-labels".format, lambda word: f"flowers{word.capitalize()}", lambda word: f"{word}Labels",
    lambda word: f"seg_{word.upper()}", lambda word: f"01 {word}",
)  # fmt: skip
CLASSES = ("aster", "Tulip", "café crème", "né", "日本", "Rose-2", "it's", "b,c", "01", "7")
PATHS, LABELS = ("filename", "image", "Image Path", "file_name"), ("label", "class", "Category")
# With these, and none or one of them without, a picture is another part's.
Meant = dict[str, tuple[str, str | None]]


def samples(folder: Path) -> dict[str, bytes]:
    """Name the kinds of layouts."""
    return dict.fromkeys(KINDS, b"")


def mutant(originals: dict[str, bytes], seed: int, number: int) -> tuple[str, bytes]:
    """Name the kind of the input `number` of the series `seed`, and the seed of its layout."""
    return sorted(originals)[number % len(originals)], f"{seed} {number}".encode()


def trial(folder: Path, originals: dict[str, bytes], name: str, content: bytes) -> str:
    """Tell whether a drawn layout is understood as it was meant, or asked about where it should."""
    place = folder / "place"
    shutil.rmtree(place, ignore_errors=True)
    os.chdir(folder)
    chance = random.Random(content)
    draw = DRAW.get(name, draw_files)
    root, meant = draw(Path("place"), name, chance)
    try:
        entries = [e for e in open_source(root).entries if not e.path.endswith((".csv", ".txt"))]
        found = {entry.path: (entry.label, entry.part) for entry in entries}
    except UserError as error:
        return "asked" if meant is None and "which one is meant" in str(error) else repr(error)
    if meant is None:
        return "read, though nobody can know what was meant"
    if name == "packed":  # where the pictures are is the program's own
        counts = [sorted(map(repr, each.values())) for each in (found, meant)]
        return "as meant" if counts[0] == counts[1] else f"{counts[0]} in place of {counts[1]}"
    wrong = {path for path in {*found, *meant} if found.get(path) != meant.get(path)}
    first = min(wrong, default=None)
    return f"{len(wrong)} wrong: {first!r} {found.get(first)}" if wrong else "as meant"


def draw_parts(chance: random.Random) -> dict[str, str]:
    """Choose the parts of a layout, and their names, of one shape."""
    parts = chance.choice(((TRAIN,), (TRAIN, VALIDATION), (TRAIN, TEST), (TRAIN, VALIDATION, TEST)))
    shape = chance.choice(SHAPES)
    return {part: shape(chance.choice(SPELLINGS[part])) for part in parts}


def draw_folders(root: Path, kind: str, chance: random.Random) -> tuple[Path, Meant]:
    """Lay folders of classes in folders of parts, wrapped, linked, in any form and capitals."""
    names, parts = chance.sample(CLASSES, 3), draw_parts(chance)
    if len(parts) == 1:  # a folder of classes alone
        parts = {TRAIN: "."}
    inside = root.joinpath(*chance.choice(((), ("archive",), ("data set", "in"), ("x" * 9,))))
    meant: Meant = {}
    for part, folder in parts.items():
        form = chance.choice(("NFC", "NFD"))
        capitals = chance.choice((str, str, str.upper)) if part != TRAIN else str
        for name in names:
            where = inside / folder / normalize(form, capitals(name))
            if chance.random() < 0.2:
                target = root.parent / "place.elsewhere" / folder / name
                shutil.rmtree(target, ignore_errors=True)
                target.mkdir(parents=True)
                where.parent.mkdir(parents=True, exist_ok=True)
                where.symlink_to(os.path.abspath(target))
            for number in range(2):
                path = where / f"{number}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
                meant[str(path)] = name, _as_split(part, parts)
    return root, meant


def _as_split(part: str, parts: dict[str, str]) -> str | None:
    """Tell what a folder for a part is used for: without one to validate with, the test set is."""
    if len(parts) == 1:
        return None
    return VALIDATION if part == TEST and VALIDATION not in parts else part


def draw_files(root: Path, kind: str, chance: random.Random) -> tuple[Path, Meant]:
    """Write a table or a list for each part, beside a folder of all pictures."""
    names, parts = chance.sample(CLASSES, 3), draw_parts(chance)
    if kind == "lists":
        names = [name for name in names if " " not in name] + ["oak"]
    inside = root.joinpath(*chance.choice(((), (), ("archive",), ("data set", "in"))))
    (inside / "images").mkdir(parents=True)
    heads = chance.choice(PATHS), chance.choice(LABELS)
    columns = chance.sample(range(3), 3)
    split = VALIDATION in parts
    meant: Meant = {}
    for part, stem in parts.items():
        rows = []
        for number in range(6):
            name = normalize(chance.choice(("NFC", "NFD")), f"{part}-é {number}.jpg")
            label = chance.choice(names)
            (inside / "images" / name).touch()
            written = normalize(chance.choice(("NFC", "NFD")), name)
            rows.append((written, normalize(chance.choice(("NFC", "NFD")), label), 5 - number))
            where = part if split or part == TEST else None
            meant[str(inside / "images" / name)] = label, where
        if kind == "lists":
            text = "".join(f"{path} {label}\n" for path, label, _ in rows)
            (inside / f"{stem}.txt").write_text(text, encoding="utf-8")
        else:
            _write(inside / f"{stem}.csv", [(*heads, "age"), *rows], columns, chance)
    trained = {label for label, part in meant.values() if part in (None, TRAIN)}
    return root, {path: each for path, each in meant.items() if each[0] in trained}


def draw_several(root: Path, kind: str, chance: random.Random) -> tuple[Path, Meant | None]:
    """Write two tables that name no part: all are meant, if they agree and share no picture."""
    (root / "images").mkdir(parents=True)
    agree, share = chance.random() < 0.5, chance.random() < 0.5
    meant: Meant = {}
    for table in range(2):
        rows = []
        for number in range(6):
            name = f"{0 if share and not number else table}-{number}.jpg"
            (root / "images" / name).touch()
            meant[str(root / "images" / name)] = CLASSES[number % 2], None
            rows.append((name, CLASSES[number % 2], number))
        heads = ("filename", "label", "age" if agree or not table else "weight")
        stem = ("birds", "flowers")[table]
        _write(root / f"{stem}.csv", [heads, *rows], range(3), chance)
    return root, meant if agree and not share else None


def draw_published(root: Path, kind: str, chance: random.Random) -> tuple[Path, Meant]:
    """Lay a published data set, with things beside it that are none of its pictures."""
    root.mkdir()
    layout = Layout(root)
    READ[chance.choice(sorted(READ))](layout)
    for path in chance.sample((".DS_Store", "__MACOSX/._1.jpg", "LICENSE", "read me.md"), 2):
        layout.write(path, "of somebody's")
    return root, layout.meant


def draw_packed(root: Path, kind: str, chance: random.Random) -> tuple[Path, Meant]:
    """Pack pictures and their labels into files for each part, of one kind."""
    names, parts = chance.sample(CLASSES, 3), draw_parts(chance)
    if len(parts) == 1:
        parts = {TRAIN: "flowers"}
    root.mkdir()
    pack = chance.choice((_pack_npz, _pack_npy, _pack_hdf5, _pack_csv, _pack_tar))
    meant: Meant = {}
    for part, stem in parts.items():
        labels = names + chance.choices(names, k=3)
        meant |= {f"{part} {n}": (name, _as_split(part, parts)) for n, name in enumerate(labels)}
        pack(root, stem, labels, np.full((len(labels), 16, 16), len(part), np.uint8))
    return root, meant


def _pack_npz(root: Path, stem: str, labels: list[str], pixels: np.ndarray) -> None:
    np.savez(root / f"{stem}.npz", images=pixels, labels=labels)


def _pack_npy(root: Path, stem: str, labels: list[str], pixels: np.ndarray) -> None:
    np.save(root / f"x_{stem}.npy", pixels / 255)
    np.save(root / f"y_{stem}.npy", labels)


def _pack_hdf5(root: Path, stem: str, labels: list[str], pixels: np.ndarray) -> None:
    with h5py.File(root / f"{stem}.h5", "w") as file:
        file["images"] = pixels
        file.create_dataset("labels", data=labels, dtype=h5py.string_dtype())


def _pack_csv(root: Path, stem: str, labels: list[str], pixels: np.ndarray) -> None:
    heads = ["label", *(f"pixel{number}" for number in range(pixels[0].size))]
    with open(root / f"{stem}.csv", "w", encoding="utf-8", newline="") as file:
        rows = zip(labels, pixels.reshape(len(pixels), -1).tolist())
        csv.writer(file).writerows([heads, *([label, *row] for label, row in rows)])


def _pack_tar(root: Path, stem: str, labels: list[str], pixels: np.ndarray) -> None:
    with tarfile.open(root / f"{stem}-000.tar", "w") as file:
        for number, name in enumerate(labels):
            for suffix, content in (("jpg", b"\xff\xd8\xff"), ("cls", name.encode())):
                member = tarfile.TarInfo(f"{number}.{suffix}")
                member.size = len(content)
                file.addfile(member, io.BytesIO(content))


DRAW = {
    "folders": draw_folders,
    "several tables": draw_several,
    "published": draw_published,
    "packed": draw_packed,
}


def _write(path: Path, rows: list, columns, chance: random.Random) -> None:
    with open(path, "w", encoding=chance.choice(("utf-8", "utf-8-sig")), newline="") as file:
        writer = csv.writer(file, delimiter=chance.choice(",;\t|"))
        writer.writerows([row[column] for column in columns] for row in rows)
