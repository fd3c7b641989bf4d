"""JSON, JSON lines, MATLAB's .mat and MXNet's .lst as rows of cells, the first with headings."""

from __future__ import annotations

import io
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from alexnet_tf.data.images.file_types import RECORDS
from alexnet_tf.data.sources.headings import PATH, role
from alexnet_tf.data.sources.manifest import NoLabels
from alexnet_tf.errors import UserError
from alexnet_tf.system.files import read_bytes, read_lines

# In bytes, because a whole file is held in memory; a .mat also once it is unpacked.
LARGEST = 128 << 20
MXNET = re.compile(r"\d+\t.*\t")
# What Prodigy writes as the answer where the label is not the picture's.
REJECTED = ("reject", "ignore")
# What separates several values of one cell.
SEVERAL = "|"
# What the annotations in COCO's JSON hold in place of classes, and what can be done.
CROP = (
    "crop the objects yourself, into a folder for each class; this program learns one class for "
    "each whole picture"
)
NO_CLASSES = {
    "bbox": f"boxes around objects (COCO), not classes of pictures: {CROP}",
    "segmentation": f"outlines of objects (COCO), not classes of pictures: {CROP}",
    "keypoints": f"keypoints (COCO), not classes of pictures: {CROP}",
    "caption": "captions of pictures (COCO), not classes: write a table filename,label",
}
# The heading of a .mat, the tag of an element, and the type of a compressed one: MATLAB's
# "MAT-File Format", chapter 1.
MAT_HEADING, MAT_TAG, COMPRESSED = 128, 8, 15


def has_records(file: Path) -> bool:
    """Tell whether `file` is one of these, by its suffix, or by its first line as MXNet's list."""
    suffix = file.suffix.lower()
    return suffix in RECORDS or (suffix == ".lst" and bool(MXNET.match(next(read_lines(file), ""))))


def read_records(file: Path) -> Iterator[list[str]]:
    """Yield the headings of the table in `file`, by its suffix, and its rows.

    Raises UserError for a damaged file, one that is no table, or one that is not of labels.
    """
    if file.suffix.lower() == ".lst":
        yield from _lst(file)
        return
    is_mat = file.suffix.lower() == ".mat"
    found = _mat_records(file) if is_mat else _records(read_json(file), file)
    records = [flat(record) for record in found]
    for record in records:
        if record.get("answer") in REJECTED:
            record["label"] = ""
    heads = list(dict.fromkeys(name for record in records for name in record))
    if records:
        yield heads
    for record in records:
        yield [record.get(name, "") for name in heads]


def flat(value: Any, name: str = "") -> dict[str, str]:
    """Write nested JSON as cells: {"a": {"b": [1, 2]}} → {"a.b": "1|2"}."""
    cells: dict[str, list[str]] = {}
    _flatten(value, name, cells)
    return {name: SEVERAL.join(dict.fromkeys(values)) for name, values in cells.items()}


def _flatten(value: Any, name: str, cells: dict[str, list[str]]) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _flatten(inner, f"{name}.{key}".lstrip("."), cells)
    elif isinstance(value, list):
        for inner in value:
            _flatten(inner, name, cells)
    elif value is not None:
        cells.setdefault(name, []).append(str(value))


def _lst(file: Path) -> Iterator[list[str]]:
    """Read MXNet's list: lines of index, label and path, divided by tabs."""
    yield ["path", "label"]
    for number, line in enumerate(read_lines(file), 1):
        cells = line.split("\t")
        if line.strip() and len(cells) != 3:
            raise UserError(
                f"{file}, line {number}: has {len(cells)} cells, divided by tabs, where MXNet's "
                "lists have 3, index, label and path: this program learns one class a picture"
            )
        if line.strip():
            yield [cells[2].strip(), cells[1].strip().removesuffix(".000000")]


def read_json(file: Path) -> Any:
    """Read JSON, or JSON lines as a list; UserError unless it is whole."""
    text = read_bytes(file, LARGEST)
    try:
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            return [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file}: is no whole JSON ({error}); export it anew") from error


def read_mat(file: Path) -> dict[str, Any]:
    """Read the variables in MATLAB's `file`; UserError unless it is a whole .mat of version 7."""
    from scipy.io import loadmat  # 0.1 s

    try:
        content = read_bytes(file, LARGEST)
        _check_unpacked(content)
        variables = loadmat(io.BytesIO(content), simplify_cells=True)
    except UserError:
        raise
    except Exception as error:  # scipy may raise nearly anything on broken files
        raise UserError(
            f"{file}: is no whole .mat file of version 7 or below ({error}); write it anew with "
            "save(..., '-v7')"
        ) from error
    return {name: value for name, value in variables.items() if not name.startswith("__")}


def _check_unpacked(content: bytes) -> None:
    """Raise ValueError if the compressed elements of a .mat hold more than `LARGEST` bytes."""
    place, left = MAT_HEADING, LARGEST
    order: Literal["big", "little"] = "big" if content[126:128] == b"MI" else "little"
    while place < len(content) - MAT_TAG:
        kind, size = (int.from_bytes(content[place + n : place + n + 4], order) for n in (0, 4))
        place += MAT_TAG
        if kind == COMPRESSED:
            left -= len(zlib.decompressobj().decompress(content[place : place + size], left + 1))
        if left < 0:
            raise ValueError(f"it holds more than {LARGEST:,} bytes")
        place += size


def _mat_records(file: Path) -> list[dict[str, Any]]:
    columns = {name: getattr(v, "tolist", lambda v=v: v)() for name, v in read_mat(file).items()}
    lists = {name: value for name, value in columns.items() if isinstance(value, list) and value}
    structs = [value for value in lists.values() if isinstance(value[0], dict)]
    if structs:
        return max(structs, key=len)
    length = max(map(len, lists.values()), default=0)
    columns = {name: value for name, value in lists.items() if len(value) == length}
    return [dict(zip(columns, row)) for row in zip(*columns.values())]


def _records(content: Any, file: Path) -> list[dict[str, Any]]:
    """Return the records in a JSON file, in whichever way its program arranges them."""
    if isinstance(content, list):
        return [record for record in content if isinstance(record, dict)]
    values = list(content.values()) if isinstance(content, dict) else []
    kinds = {type(value) for value in values}
    if kinds and {"images", "annotations"} <= {*content}:
        return _join(content, file)
    if kinds == {dict}:
        if len({tuple(each) for each in values}) == 1 and len(values) < len(values[0]):
            return [{name: content[name][key] for name in content} for key in values[0]]
        return [{"file": name, **each} for name, each in content.items()]
    if kinds == {list} and any(role(name) == PATH for name in content):  # by columns
        return [dict(zip(content, row)) for row in zip(*values)]
    if kinds and kinds <= {str, int}:
        return [{"file": name, "label": value} for name, value in content.items()]
    labels = content["labels"] if kinds == {dict, list} and "labels" in content else None
    if isinstance(labels, dict) and {type(each) for each in labels.values()} <= {str, int}:
        names = dict(enumerate(content.get("classes", ())))  # as FiftyOne writes them
        return [{"file": name, "label": names.get(n, n)} for name, n in labels.items()]
    tables = [each for each in values if isinstance(each, list) and each and type(each[0]) is dict]
    if tables:
        return _records(max(tables, key=len), file)
    if kinds == {list}:
        return [{"file": name, "label": label} for label in content for name in content[label]]
    return []


def read_labelled_images(file: Path) -> list[dict[str, Any]]:
    """Read JSON as COCO's, with one category for each picture: file_name and label of each."""
    return _join(read_json(file), file)


def _join(content: dict[str, Any], file: Path) -> list[dict[str, Any]]:
    """Join the images, annotations and categories of COCO's JSON, if no annotation is a box."""
    try:
        annotations = content["annotations"]
        for key, what in NO_CLASSES.items():
            if any(each.get(key) for each in annotations):
                raise NoLabels(f"{file}: holds {what}")
        names = {each["id"]: each["name"] for each in content.get("categories", ())}
        files = {each["id"]: each["file_name"] for each in content["images"]}
        joined = [(files[each["image_id"]], each["category_id"]) for each in annotations]
        return [{"file_name": path, "label": names.get(label, label)} for path, label in joined]
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{file}: has images and annotations as COCO's JSON, but lacks {error}"
        ) from error
