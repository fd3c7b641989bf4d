"""How each published data set is read: its marks, and its pictures with their classes and split."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from alexnet_tf.data.sources.manifest import TEST, TRAIN, VALIDATION, Entry
from alexnet_tf.data.sources.records import read_json, read_labelled_images, read_mat
from alexnet_tf.data.sources.split_names import part_named
from alexnet_tf.errors import UserError
from alexnet_tf.system.files import read_lines
from alexnet_tf.system.text import printable

CUB_TABLES = ("images.txt", "image_class_labels.txt", "train_test_split.txt", "classes.txt")
PLACES_LISTS = (
    "**/categories_places365.txt", "**/places365_train_*.txt", "**/places365_val.txt",
)  # fmt: skip
DEEPFASHION = (
    "Anno*/list_category_cloth.txt", "Anno*/list_category_img.txt", "Eval/list_eval_partition.txt",
)  # fmt: skip
# The classes of RAF-DB, from its readme, and the parts as most authors call them.
EMOTIONS = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
PARTS = {"train": TRAIN, "val": VALIDATION, "test": TEST}
# How LabelMe begins a file with flags, and the bytes in which it does.
LABELME, LABELME_WITHIN = re.compile(rb'\{\s*("version":[^{]*)?"flags":\s*\{\s*"'), 100

# Reads a data set in a folder; where it has several levels of labels, that of a name.
Reader = Callable[[Path, str | None], Iterator[Entry]]


class Kind(NamedTuple):
    """A published data set: its name, the marks of its folder, the names that --label may want
    (None: any), and its reader."""

    name: str
    marks: tuple[str, ...]
    labels: tuple[str, ...] | None
    read: Reader


KINDS: list[Kind] = []


def _kind(
    name: str, *marks: str, labels: tuple[str, ...] | None = ()
) -> Callable[[Reader], Reader]:
    """Add the decorated function to `KINDS`; --label may want one of `labels`, or any if None.

    All patterns `marks` match below the folder of the data set; the rarest comes first.
    """

    def add(read: Reader) -> Reader:
        KINDS.append(Kind(name, marks, labels, read))
        return read

    return add


def _cells(file: Path) -> Iterator[list[str]]:
    """Yield the words of each line of `file`, without empty lines and comments."""
    for line in read_lines(file):
        if line.strip() and not line.startswith("#"):
            yield line.split()


@_kind(
    "FGVC-Aircraft",
    *(f"data/images_*_{part}.txt" for part in ("train", "val", "test")),
    "data/images",
    labels=("variant", "family", "manufacturer"),
)
def _aircraft(folder: Path, label: str | None) -> Iterator[Entry]:
    """Read the three lists, number and name, of a level: variant, family or manufacturer."""
    for name, part in PARTS.items():
        for number, *words in _cells(folder / f"data/images_{label or 'variant'}_{name}.txt"):
            yield Entry(f"{folder}/data/images/{number}.jpg", " ".join(words), part)


@_kind("CelebA", "Anno/list_attr_celeba.txt", "Eval/list_eval_partition.txt", labels=None)
@_kind("CelebA", "list_attr_celeba.*", "list_eval_partition.*", labels=None)
def _celeba(folder: Path, label: str | None) -> Iterator[Entry]:
    """Read an attribute, 1 or -1, or the identities, and the numbers of the parts, 0 to 2."""
    names = ("list_eval_partition", "identity_CelebA", "list_attr_celeba")
    files = [next(folder.glob(f"**/{name}.*"), None) for name in names]
    parts, identities, (first, *rows) = (
        [line.replace(",", " ").split() for line in read_lines(file)] if file else []
        for file in files
    )
    heads = first if len(first) > 1 else ["image_id", *rows.pop(0)]  # below their count
    if label == "identity":
        named = dict(identities)
    elif label in heads[1:]:
        place = heads.index(label)
        named = {row[0]: label if row[place] == "1" else f"not {label}" for row in rows}
    else:
        raise UserError(
            f"{files[2]}: has the attributes {', '.join(heads[1:])}; name one as the class with "
            "--label, such as --label Smiling, or take --label identity"
        )
    place_of = next(folder.glob(f"**/{rows[0][0]}"), folder / "img_align_celeba/1.jpg").parent
    part_of = dict(parts)
    for name, each in named.items():
        yield Entry(f"{place_of}/{name}", each, (TRAIN, VALIDATION, TEST)[int(part_of[name])])


@_kind("Pascal VOC", "ImageSets/Main/*_train.txt", "JPEGImages", labels=None)
@_kind("Pascal VOC", "VOC2*/ImageSets/Main/*_train.txt", labels=None)
def _voc(folder: Path, label: str | None) -> Iterator[Entry]:
    """Read a list for each class and part, 1 where a picture shows the class; or that of `label`
    against the rest."""
    shown: dict[tuple[str, str], list[str]] = {}
    for name, part in PARTS.items():
        for file in sorted(folder.glob(f"**/ImageSets/Main/*_{name}.txt")):
            place, of = file.parents[2] / "JPEGImages", file.stem.removesuffix(f"_{name}")
            for picture, sign in _cells(file):
                found = shown.setdefault((f"{place}/{picture}.jpg", part), [])
                found += [of] * (sign == "1")
    classes = sorted({of for found in shown.values() for of in found})
    if label and label not in classes:
        raise UserError(f"{folder}: has no class '{label}', but {', '.join(classes)}")
    for (path, part), found in shown.items():
        if not label and len(found) != 1:
            raise UserError(
                f"{folder}: holds boxes around objects (VOC), and lists {len(found)} classes for "
                f"{printable(path)}; this program learns one class for each picture: tell one of "
                f"them from the rest with --label, such as --label {classes[0]}"
            )
        is_other = label is not None and label not in found
        yield Entry(path, f"not {label}" if is_other else label or found[0], part)


@_kind("RAF-DB", "EmoLabel/list_patition_label.txt", "Image/aligned")
def _raf(folder: Path, _: str | None) -> Iterator[Entry]:
    """Read the list of both parts; its numbers are those of `EMOTIONS`, from 1 on."""
    for file, number in _cells(folder / "EmoLabel/list_patition_label.txt"):
        part = TRAIN if file.startswith("train") else TEST
        place = f"{folder}/Image/aligned/{Path(file).stem}_aligned.jpg"
        yield Entry(place, EMOTIONS[int(number) - 1], part)


@_kind("DeepFashion", *DEEPFASHION)
def _deepfashion(folder: Path, _: str | None) -> Iterator[Entry]:
    """Join categories and parts by picture; each table begins with a count and headings."""
    names, labels, parts = (
        [line.split() for line in islice(read_lines(next(folder.glob(mark))), 2, None)]
        for mark in DEEPFASHION
    )
    place = folder / "Img" if (folder / "Img").is_dir() else folder
    part_of = {file: PARTS[part] for file, part in parts}
    for file, number in labels:
        yield Entry(f"{place}/{file}", names[int(number) - 1][0], part_of[file])


@_kind("DomainNet", "*_train.txt", "*_test.txt")
def _domainnet(folder: Path, _: str | None) -> Iterator[Entry]:
    """Read the lists DOMAIN_train.txt of lines 'DOMAIN/CLASS/FILE number'."""
    for name, part in (("train", TRAIN), ("test", TEST)):
        for file in sorted(folder.glob(f"*_{name}.txt")):
            domain = file.stem.removesuffix(f"_{name}")
            for path, *_rest in _cells(file) if (folder / domain).is_dir() else ():
                if path.startswith(f"{domain}/") and path.count("/") == 2:
                    yield Entry(f"{folder}/{path}", path.split("/")[1], part)


@_kind("LabelMe's flags", "*.json")
@_kind("LabelMe's flags", "*/*.json")  # is tried first
def _labelme(folder: Path, _: str | None) -> Iterator[Entry]:
    """Read the flag of each whole picture, if its file of JSON has no shapes of objects."""
    records = []
    for file in sorted((*folder.glob("*.json"), *folder.glob("*/*.json"))):
        if not _has_flags(file):
            return
        record = read_json(file)
        if record["shapes"]:
            return
        records.append(
            (file, record["flags"], record.get("imagePath", ""))
        )  # without the picture itself
    for file, all_flags, path in records:
        flags = [name for name, is_set in all_flags.items() if is_set]
        if len(flags) != 1:
            raise UserError(
                f"{file}: has {len(flags)} flags set; this program learns one class for each "
                "picture: set one of them in LabelMe, or move the picture elsewhere"
            )
        name = path.replace("\\", "/").rpartition("/")[2]
        yield Entry(str(file.with_name(name)), flags[0], part_named(file.parent.name))


def _has_flags(file: Path) -> bool:
    """Tell whether `file` is a regular one that begins as LabelMe's with flags do."""
    if file.is_file():
        with suppress(OSError), open(file, "rb") as content:
            return bool(LABELME.match(content.read(LABELME_WITHIN)))
    return False


@_kind("MURA", "train_labeled_studies.csv", "valid_labeled_studies.csv")
def _mura(folder: Path, _: str | None) -> Iterator[Entry]:
    """Read the studies in both lists: folders of pictures of one patient, and 1 for abnormal."""
    for name, part in (("train", TRAIN), ("valid", VALIDATION)):
        for line in read_lines(folder / f"{name}_labeled_studies.csv"):
            study, label = line.split(",")
            for picture in sorted((folder / study.partition("/")[2]).glob("[!.]*.png")):
                yield Entry(str(picture), ("negative", "positive")[int(label)], part)


@_kind("CUB-200-2011 or NABirds", *CUB_TABLES)
def _cub(folder: Path, _: str | None) -> Iterator[Entry]:
    """Join the four tables by the number of the picture."""
    files, labels, trained, names = (
        {number: " ".join(rest) for number, *rest in _cells(folder / table)} for table in CUB_TABLES
    )
    for number, file in files.items():
        part = TRAIN if trained[number] == "1" else TEST
        yield Entry(f"{folder}/images/{file}", names[labels[number]], part)


@_kind("Oxford Flowers-102", "imagelabels.mat", "setid.mat", "jpg")
def _flowers(folder: Path, _: str | None) -> Iterator[Entry]:
    """Read the labels and the three sets of numbers of pictures, which count from 1."""
    labels = read_mat(folder / "imagelabels.mat")["labels"]
    sets = read_mat(folder / "setid.mat")
    for name, part in (("trnid", TRAIN), ("valid", VALIDATION), ("tstid", TEST)):
        for number in sets[name].tolist():
            label = str(int(labels[number - 1]))
            yield Entry(f"{folder}/jpg/image_{number:05}.jpg", label, part)


@_kind("iNaturalist", "train20*.json", "val20*.json", "train_val*")
def _inaturalist(folder: Path, _: str | None) -> Iterator[Entry]:
    """Read images and categories in JSON, as in others of FGVC's contests."""
    for mark, part in (("train20*.json", TRAIN), ("val20*.json", VALIDATION)):
        for row in read_labelled_images(next(folder.glob(mark))):
            yield Entry(f"{folder}/{row['file_name']}", str(row["label"]), part)


@_kind("Oxford-IIIT Pet", "annotations/trainval.txt", "annotations/test.txt", "images")
def _pets(folder: Path, _: str | None) -> Iterator[Entry]:
    """Read both lists of names, which begin with the breed; trainval is split at random."""
    for name, part in (("trainval", None), ("test", TEST)):
        for picture, *_rest in _cells(folder / "annotations" / f"{name}.txt"):
            yield Entry(f"{folder}/images/{picture}.jpg", picture.rpartition("_")[0], part)


@_kind("Places365", "data_*", "val_*", *PLACES_LISTS)
def _places365(folder: Path, _: str | None) -> Iterator[Entry]:
    """Read both lists of pictures and class numbers; the large or the small pictures."""
    names, train, validation = (next(folder.glob(mark)) for mark in PLACES_LISTS)
    classes = {number: name.removeprefix("/") for name, number in _cells(names)}
    for file, pictures, part in ((train, "data_*", TRAIN), (validation, "val_*", VALIDATION)):
        place = next(folder.glob(pictures))
        for picture, number in _cells(file):
            yield Entry(f"{place}/{picture.removeprefix('/')}", classes[number], part)


@_kind("Stanford Cars", "devkit/cars_meta.mat", "devkit/cars_train_annos.mat", "cars_train")
def _cars(folder: Path, _: str | None) -> Iterator[Entry]:
    """Read the lists of both parts; the labels of the test set are a download of their own."""
    names = read_mat(folder / "devkit/cars_meta.mat")["class_names"].tolist()
    tests = islice(folder.glob("**/cars_test_annos_withlabels*.mat"), 1)
    lists = [(TRAIN, folder / "devkit/cars_train_annos.mat"), *((TEST, test) for test in tests)]
    for part, file in lists:
        for row in read_mat(file)["annotations"]:
            label = names[int(row["class"]) - 1]
            yield Entry(f"{folder}/cars_{part}/{row['fname']}", label, part)


@_kind("Stanford Cars", "cars_annos.mat", "car_ims")
def _cars_in_one(folder: Path, _: str | None) -> Iterator[Entry]:
    """Read the one list of all pictures, which tells the test set."""
    content = read_mat(folder / "cars_annos.mat")
    names = content["class_names"].tolist()
    for row in content["annotations"]:
        label = names[int(row["class"]) - 1]
        yield Entry(f"{folder}/{row['relative_im_path']}", label, TEST if row["test"] else TRAIN)
