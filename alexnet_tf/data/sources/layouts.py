"""Folder layouts of data sets: which folders are classes, and which are splits."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from functools import partial
from itertools import zip_longest
from pathlib import Path
from unicodedata import normalize

from alexnet_tf.data.images.file_types import is_meant_as_picture
from alexnet_tf.data.sources import manifest
from alexnet_tf.data.sources.listing import list_files
from alexnet_tf.data.sources.manifest import TEST, TRAIN, VALIDATION, Entry, Source
from alexnet_tf.data.sources.split_names import part_named, preference, words
from alexnet_tf.errors import UserError
from alexnet_tf.system.text import printable

# Kaggle's cats and dogs; Microsoft capitalizes the classes.
KAGGLE_NAME = re.compile(r"(cat|dog)\.\d+\.\w+", re.IGNORECASE)
KAGGLE_CLASSES = {"Cat": "cat", "Dog": "dog"}
# A class, which may be or end in a number, and a number: rose_001.jpg, "red rose (1).jpg",
# 10_123.jpg, obj1__0.png; and what cameras and programs write in place of the class.
NUMBERED = re.compile(r"(\d+(?=[\W_])|.*[^\W_](?=__)|.*[^\W\d_])[\W_]*\d+\W*\.\w+")
NO_CLASSES = {"img", "dsc", "dscn", "dscf", "dcim", "pxl", "vid", "frame", "scan", "screenshot"}
# Words in the names of folders that contain pictures of any class.
CONTAINERS = {"image", "img", "imgs", "picture", "pictures", "photo", "photos"}
MASK_WORDS = {"mask", "masks", "segmentation", "trimaps", "groundtruth", "gt", "annotations"}
UNLABELLED = {"unlabeled", "unlabelled"}
TIFF = (".tif", ".tiff")


class NoClasses(UserError):
    """Folders of pictures that are not class folders."""


def is_container(name: str) -> bool:
    """Tell whether a folder of that name holds pictures of any class: images_001, JPEGImages."""
    return any(word in CONTAINERS or word.endswith("images") for word in words(name))


def read_layout(folder: Path, by_names: bool = False, level: int = 0) -> Source:
    """Label every file below `folder` by Kaggle's file names or by its class folder.

    Class folders may be nested in folders that hold nothing else, and in split folders, whatever
    their spelling (`part_named`): ``train/CLASS``, ``val/CLASS``, ``test/CLASS``. If there is no
    validation set, the test set takes its place. With `by_names`, numbered file names are classes
    too: ``rose_01.jpg``. The folders of a `level`, from 1 on, may be the classes, whatever lies
    between. Raises NoClasses for folders that look like splits, not classes.
    """
    files, rejected = list_files(folder)
    tree = _Tree(files, by_names, level)
    parts, notes = _parts(tree, folder), []
    if again := tree.repeated(parts[TRAIN]):
        notes.append(f"{printable(again)}: not used, for it holds the classes beside it once more")
        tree = _Tree([file for file in files if again not in Path(file).parents], by_names, level)
        parts = _parts(tree, folder)
    if VALIDATION not in parts and TEST in parts:
        parts[VALIDATION] = parts.pop(TEST)
        notes.append(manifest.validated_by_test("folder", printable(parts[VALIDATION])))
    if len(parts) == 1:  # the data is not split
        parts = {None: parts[TRAIN]}
        if not level:
            _check_classes(tree, parts[None])
    roots = " or ".join(printable(root) for root in parts.values())
    reason = "is in no folder of a class and not named cat.N or dog.N"
    if len(parts) > 1:
        reason = f"is in no folder of a class below {roots}"
    entries = []
    labels = [(part, tree.labels(root)) for part, root in parts.items()]
    for file in files:
        part, label = next(((p, of[file]) for p, of in labels if file in of), (None, None))
        if label is None:
            rejected.append((file, reason))
        elif manifest.is_unfit(file):
            rejected.append((file, manifest.UNFIT))
        else:
            entries.append(Entry(file, label, part))
    classes = sorted({entry.label for entry in entries if entry.part in (None, TRAIN)})
    if deepest := max(classes, key=lambda name: name.count("/"), default="").count("/"):
        name = next(name for name in classes if name.count("/") == deepest)
        text = f"each innermost folder is a class, such as '{printable(name)}'; --label N takes "
        notes.append(text + "the folders of level N")
    return manifest.align_to_classes(classes, entries, rejected, notes)


def _parts(tree: _Tree, folder: Path) -> dict[str | None, Path]:
    """Find the folder of the class folders of each split below `folder`.

    There is always a training set. Other splits count only if they share one of its classes.
    """
    if tree.is_kaggles(folder):
        return {TRAIN: folder}
    folders = tree.folders(folder)
    beside = [inner for inner in folders if part_named(inner.name) and tree.is_labelled(inner)]
    train = next((inner for inner in beside if part_named(inner.name) == TRAIN), None)
    others = [inner for inner in folders if not part_named(inner.name)]
    if beside and not train and len(others) == 1:  # NCT-CRC-HE-100K beside CRC-VAL-HE-7K
        own, *theirs = (tree.classes(_parts(tree, each)[TRAIN]) for each in (*others, *beside))
        train = others[0] if all(own & each for each in theirs) else None
    if train:
        parts = _parts(tree, train)  # it may be nested: training_set/training_set/cats
        classes = tree.classes(parts[TRAIN])
        for inner in sorted(beside, key=lambda folder: preference(folder.name)):
            root = _parts(tree, inner)[TRAIN]
            if inner != train and classes & tree.classes(root):
                parts.setdefault(part_named(inner.name), root)
            elif part_named(inner.name) == TRAIN and inner != train:  # train.X1, train.X2
                tree.joined[parts[TRAIN]].append(root)
                classes |= tree.classes(root)
        return parts
    if len(folders) == 1 and tree.is_labelled(folders[0]):
        return _parts(tree, folders[0])
    without = (f for f in folders if part_named(f.name) or {*words(f.name)} & UNLABELLED)
    few = {inner for inner in without if len(tree.classes(inner)) < 2}
    rest = [inner for inner in folders if inner not in few]
    if len(rest) == 1 and len(tree.classes(rest[0])) > 1:  # beside it is a part without classes
        return _parts(tree, rest[0])
    below = [each for each in map(partial(_parts, tree), folders) if len(each) > 1]
    split = [each for each in below if len(tree.classes(each[TRAIN])) > 1]
    if len(split) > 1:
        names = ", ".join(printable(each[TRAIN]) for each in split[: manifest.MOST_NAMES])
        raise NoClasses(f"{folder}: holds several data sets, {names}; name the folder of one")
    if split:  # beside it lie pictures without labels, say
        return split[0]
    return {TRAIN: folder}


def _check_classes(tree: _Tree, root: Path) -> None:
    """Raise NoClasses if the folders in `root` look like splits, not classes."""
    folders = tree.folders(root)
    if not folders or tree.is_kaggles(root):
        return
    names = " and ".join(printable(folder) for folder in folders[:3])
    if all(part_named(folder.name) for folder in folders):
        raise NoClasses(
            f"{names}: look like the parts of a dataset, but hold no folders of classes, the same "
            f"ones in each; put the pictures into {printable(folders[0])}/CLASS, or add a list of "
            "lines 'path label'"
        )
    inside = [*tree.inside(root).values()]
    same = len(folders) > 1 and len(inside[0]) > 1 and all(each == inside[0] for each in inside)
    if same and not any(map(tree.has_pictures, folders)):
        classes = " and ".join(map(printable, sorted(inside[0])[:3]))
        if all(map(part_named, inside[0])):
            raise NoClasses(
                f"{names}: have the parts {classes} inside; put it the other way around, a folder "
                "for each part and the folders of classes in it"
            )
        raise NoClasses(
            f"{names}: hold the same folders, {classes}, so they look like parts of a dataset, not "
            "like classes; call them train, val and test, with the classes inside, or name the one "
            "to use if they are other forms of the same pictures, or let the folders of one level "
            f"be the classes: {tree.levels(root)}"
        )


class _Tree:
    """Files grouped by folder. Only folders with a picture at some depth count."""

    def __init__(self, files: list[str], by_names: bool, level: int):
        self._by_names, self._level = by_names, level
        self._files: dict[Path, list[str]] = defaultdict(list)
        for file in files:
            self._files[Path(os.path.dirname(file))].append(file)
        self._below: dict[Path, set[Path]] = defaultdict(set)
        for folder in list(self._files):
            for inner, outer in zip((folder, *folder.parents), folder.parents):
                self._below[outer].add(inner)
        self._held: dict[Path, bool] = {}
        self.joined: dict[Path, list[Path]] = defaultdict(list)

    def folders(self, folder: Path) -> list[Path]:
        """List the folders in `folder` that contain a picture, sorted by name."""
        return sorted(inner for inner in self._below.get(folder, ()) if self._holds(inner))

    def has_pictures(self, folder: Path) -> bool:
        """Tell whether a picture lies directly in `folder`."""
        return any(map(is_meant_as_picture, self._files.get(folder, ())))

    def is_labelled(self, folder: Path) -> bool:
        """Tell whether the pictures in `folder` have classes, by subfolder or by name."""
        return bool(self.folders(folder)) or self.is_kaggles(folder)

    def is_kaggles(self, folder: Path) -> bool:
        """Tell whether names like cat.1.jpg label the files in `folder`, not just a stray one."""
        named = sum(map(bool, map(kaggle_class, self._files.get(folder, ()))))
        others = (not kaggle_class(file) for f in self.folders(folder) for file in self._all(f))
        return (named > 0 and named >= sum(others)) or bool(self._numbered(folder))

    def classes(self, root: Path) -> set[str]:
        """Return the classes of the pictures below `root`, in lower case."""
        return {label.casefold() for label in self.labels(root).values()}

    def labels(self, root: Path) -> dict[str, str]:
        """Return the class of each labelled file below `root`."""
        if numbered := self._numbered(root):
            return numbered
        if self.is_kaggles(root):
            return {f: name for f in self._all(root) if (name := kaggle_class(f))}
        folders = self.class_folders(root)
        for joined in self.joined[root]:
            folders |= self.class_folders(joined)
        other = {*KAGGLE_CLASSES.values()} & {*folders.values()}
        spelled = {} if other else KAGGLE_CLASSES  # Cat beside cat is another class
        return {
            file: spelled.get(name, name)
            for folder, name in folders.items()
            for file in self._all(folder)
        }

    def inside(self, root: Path) -> dict[Path, set[str]]:
        """Return the names of the innermost folders of classes in each folder in `root`."""
        names: dict[Path, set[str]] = {folder: set() for folder in self.folders(root)}
        for folder, label in self.class_folders(root).items():
            names[root / folder.relative_to(root).parts[0]].add(label.rpartition("/")[2])
        return names

    def repeated(self, root: Path) -> Path | None:
        """Return the folder in `root` that holds the same classes as the folders beside it, or the
        same files as the other, as TIFF (EuroSAT's of 13 bands)."""
        folders = self.folders(root)
        tiff = [f for f in folders if all(n.lower().endswith(TIFF) for n in self._all(f))]
        if len(folders) == 2 and len(tiff) == 1 and len({*map(self._stems, folders)}) == 1:
            return tiff[0]
        inside = {each: self._names(each) for each in self.folders(root)}
        names = self._names(root) if not self.has_pictures(root) else set()
        twice = (f for f, inner in inside.items() if len(inner) > 1 and inner < names)
        return next((f for f in twice if len(inside[f]) == len(names) - 1), None)

    def _names(self, folder: Path) -> set[str]:
        return {normalize("NFC", inner.name) for inner in self.folders(folder)}

    def _stems(self, folder: Path) -> frozenset[tuple[str, ...]]:
        return frozenset((*f.parts[-2:-1], f.stem) for f in map(Path, self._all(folder)))

    def levels(self, root: Path) -> str:
        """Say which folders are on each level of several, as answers to a question."""
        paths = [folder.relative_to(root).parts for folder in self._outermost(root)]
        names = [sorted({*each} - {None}) for each in zip_longest(*paths)]
        shown = [", ".join(map(printable, each[: manifest.MOST_NAMES])) for each in names]
        several = (n for n, each in enumerate(names) if len(each) > 1)
        return "; ".join(f"--label {n + 1} ({shown[n]})" for n in several)

    def class_folders(self, root: Path) -> dict[Path, str]:
        """Return the outermost folders with pictures of their own, and the class of each.

        The class is the path below `root`, without the last folder if that is a container: by its
        name, which may be that of the folder around it or of all, or because it is a number that
        other classes have too. Masks
        beside such a container are left out.
        """
        paths = {folder: folder.relative_to(root).parts for folder in self._outermost(root)}
        if level := self._level:
            deep = {folder: path for folder, path in paths.items() if len(path) >= level}
            return {folder: normalize("NFC", path[level - 1]) for folder, path in deep.items()}
        outer = {path[:-1] for path in paths.values() if is_container(path[-1])}
        masks = [f for f, p in paths.items() if {*words(p[-1])} & MASK_WORDS and p[:-1] in outer]
        for folder in masks * bool(outer - {()}):
            del paths[folder]
        inner = Counter(path[-1] for path in paths.values())
        for folder, path in paths.items():
            shared = inner[path[-1]] == len(paths) or (
                inner[path[-1]] > 1 and not words(path[-1]) and words(path[-2])
            )
            is_inner = is_container(path[-1]) or path[-1] in path[-2:-1]
            if len(path) > 1 and (is_inner or (shared and len(paths) > 1)):
                paths[folder] = path[:-1]
        return {folder: normalize("NFC", "/".join(path)) for folder, path in paths.items()}

    def _outermost(self, root: Path) -> list[Path]:
        folders = self.folders(root)
        return [
            each for f in folders for each in ([f] if self.has_pictures(f) else self._outermost(f))
        ]

    def _numbered(self, folder: Path) -> dict[str, str]:
        """Return the class of each file in `folder` by names such as rose_01.jpg, two or more."""
        files = self._files.get(folder, ()) if self._by_names else ()
        matches = {file: NUMBERED.fullmatch(os.path.basename(file)) for file in files}
        labels = {file: normalize("NFC", match[1]) for file, match in matches.items() if match}
        counts = Counter(labels.values())
        is_whole = len(labels) == sum(map(is_meant_as_picture, files)) and len(counts) > 1
        usual = any({*words(name)} & NO_CLASSES or part_named(name) for name in counts)
        numbers = [*map(int, counts)] if all(map(str.isdecimal, counts)) else []
        are_counted = not numbers or max(numbers) - min(numbers) < len(numbers)
        is_whole = is_whole and are_counted and min(counts.values()) > 1
        return labels if is_whole and not usual else {}

    def _all(self, folder: Path) -> list[str]:
        deeper = (file for inner in self._below.get(folder, ()) for file in self._all(inner))
        return [*self._files.get(folder, ()), *deeper]

    def _holds(self, folder: Path) -> bool:
        if folder not in self._held:
            inner = map(self._holds, self._below.get(folder, ()))
            self._held[folder] = self.has_pictures(folder) or any(inner)
        return self._held[folder]


def kaggle_class(file: str) -> str | None:
    """Return the class of a picture by its name, if that is as in Kaggle's data set."""
    match = KAGGLE_NAME.fullmatch(os.path.basename(file))
    return match[1].lower() if match else None
