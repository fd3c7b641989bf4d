"""The pictures that a program in Python hands over: one, or several in any kind of collection."""

import os
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import numpy as np
from PIL import Image

from alexnet_tf.data.images.contents import is_remote
from alexnet_tf.data.images.file_types import SUFFIXES
from alexnet_tf.data.images.in_memory import ImageLike, scaled, stream_of
from alexnet_tf.errors import UserError

Pictures = ImageLike | Iterable[ImageLike] | Mapping[str, ImageLike]

# The number of values by which a column of pictures is recognized.
SAMPLE = 20


def listed(pictures: Any) -> list[Any] | None:
    """Return the pictures in a collection, in order; None if `pictures` is one picture.

    A collection is a list or any other iterable; the values of a dict; an array of paths or of
    pictures (n, h, w, 3); a Series; or the column of a table that holds pictures. Raises UserError
    for a table with none or several such columns.
    """
    if isinstance(pictures, str | os.PathLike | bytes | bytearray | memoryview | Image.Image):
        return None
    if stream_of(pictures):
        return None
    if isinstance(pictures, Mapping):
        return [picture for _, picture in pictures.items()]  # `values` of some has lists
    if hasattr(pictures, "columns"):
        return _column(pictures)
    if hasattr(pictures, "__array__"):
        return _of_array(np.asarray(pictures))
    return list(pictures) if isinstance(pictures, Iterable) else None


def _column(table: Any) -> list[Any]:
    """Return the values of the only column of a table, or the only one that holds pictures."""
    names = [*table.columns]
    holding = names if len(names) == 1 else [name for name in names if _holds(table[name])]
    if len(holding) != 1:
        which = " and ".join(map(str, holding)) or "none"
        raise UserError(
            f"the table has the columns {', '.join(map(str, names))}, of which {which} may hold "
            "pictures; give the column with the pictures alone, such as table['path']"
        )
    return list(table[holding[0]])


def _holds(column: Iterable[Any]) -> bool:
    values = list(islice(column, SAMPLE))
    return bool(values) and all(map(_is_picture, values))


def _is_picture(value: Any) -> bool:
    if isinstance(value, str):
        is_called_so = os.path.splitext(value)[1].lower() in SUFFIXES
        return is_called_so or is_remote(value) or os.path.isfile(value)
    return isinstance(value, os.PathLike | bytes | Image.Image | np.ndarray)


def _of_array(array: np.ndarray) -> list[Any] | None:
    """Return paths or other objects in an array, or the pictures in one of numbers."""
    if array.dtype.kind in "OUST":
        is_column = array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1)
        if not is_column:
            raise UserError(
                f"an array of {array.dtype} {array.shape}: is no list of pictures; give one of its "
                "columns"
            )
        return [os.fsdecode(each) if array.dtype.kind == "S" else each for each in array.ravel()]
    return [*scaled(array)] if array.ndim == 4 else None
