"""Parquet and Arrow, as Hugging Face publishes and saves data sets: pictures and ClassLabels."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from alexnet_tf.data.sources.headings import LABELS
from alexnet_tf.data.sources.manifest import NoPictures
from alexnet_tf.data.sources.packed.importer import Contents, Record, Section, part_of
from alexnet_tf.errors import UserError

FILES = r".+\.parquet|(?!cache-).+\.arrow"
# The key of the features in a schema's metadata (datasets.arrow_writer), how many values of a
# column a question shows, and the rows that are read at once.
FEATURES, FEW, ROWS = b"huggingface", 3, 64


def read(files: Sequence[Path], label: str | None) -> Contents | None:
    """Describe the rows of `files`, by the schema of the first."""
    if not find_spec("pyarrow"):
        raise UserError(f"{files[0]}: Parquet and Arrow need pyarrow: pip install pyarrow")
    schema, _ = _opened(files[0])
    named = _named(schema)
    if others := [file for file in files if _named(_opened(file)[0]) != named]:
        raise UserError(f"{files[0]} and {others[0]}: have other classes; name one, or its folder")
    picture = next(filter(_is_picture, schema), None)
    if picture is None:
        raise NoPictures(f"{files[0]}: has no column of pictures, but {', '.join(schema.names)}")
    column = label or _label(files[0], schema.names, named)
    if column not in schema.names:
        raise UserError(f"{files[0]}: has no column '{column}', but {', '.join(schema.names)}")
    classes = named.get(column, [])
    sections = []
    for file in files:
        records = partial(_records, file, picture.name, column, classes)
        sections.append(Section(file, part_of(file), records))
    return Contents(sections, classes, column)


def _opened(file: Path, columns: Sequence[str] = ()) -> tuple[Any, Iterator[Any]]:
    """Return the schema of a file, and its rows, some at once, of these columns."""
    if file.suffix == ".parquet":
        from pyarrow.parquet import ParquetFile

        content = ParquetFile(file)
        return content.schema_arrow, content.iter_batches(ROWS, columns=columns)
    from pyarrow import ipc, memory_map

    stream = ipc.open_stream(memory_map(str(file)))
    return stream.schema, (_validated(batch.select(columns)) for batch in stream)


def _validated(batch: Any) -> Any:
    """Return a batch whose offsets lie inside it; those of a damaged file may lie anywhere."""
    batch.validate(full=True)
    return batch


def _named(schema: Any) -> dict[str, list[str]]:
    """Return the columns of classes, and the names of these."""
    described = json.loads((schema.metadata or {}).get(FEATURES, b"{}"))
    features = described.get("info", {}).get("features", {})
    return {name: each["names"] for name, each in features.items() if "names" in each}


def _is_picture(field: Any) -> bool:
    """Tell whether a column holds bytes, or {"bytes": …, "path": …}."""
    types = {each.name: str(each.type) for each in field.flatten()}
    return types.get(f"{field.name}.bytes", types.get(field.name)) in ("binary", "large_binary")


def _label(file: Path, names: Sequence[str], named: dict[str, list[str]]) -> str:
    """Return the only column of classes; UserError with a question if there are several."""
    found = [*named] or [name for name in names if name.lower() in LABELS]
    if len(found) == 1:
        return found[0]
    shown = "; ".join(f"{name}: {', '.join(named.get(name, [])[:FEW])}" for name in found or names)
    raise UserError(f"{file}: which column is the label? {shown}. Name it with --label COLUMN")


def _records(file: Path, picture: str, column: str, classes: Sequence[str]) -> Iterator[Record]:
    for batch in _opened(file, [picture, column])[1]:
        for row in batch.to_pylist():
            content, label = row[picture], row[column]
            found = content if isinstance(content, dict) else {"bytes": content}
            if classes:
                label = classes[label] if label in range(len(classes)) else None
            text = "" if label is None else str(label)
            yield found.get("path") or "", text, found["bytes"] or b""
